# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Load the deployments' routes into HAProxy: write the file, reload, and wait until the new worker has loaded it.

The reload command returns long before the new worker has taken over, and before it is known whether it will. Until then the
admin socket answers with the old worker's description, so this waits for the new one.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import tempfile
import time
from pathlib import Path

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import failpoint
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy.config import config_id, listeners

CONFIG_DIR = "/etc/langgraph-proxy"
CONFIG_FILE = "10-deployments.cfg"
SOCKET = "/run/langgraph-proxy/admin.sock"
UNIT = "langgraph-proxy.service"
_ROLES_FILE = "00-global.cfg"
# How long the admin socket may take to answer, and how long to wait between two queries.
_ANSWER_SECONDS = 2.0
_INTERVAL = 0.05
# Reading the journal starts a process, so it is read less often.
_JOURNAL_INTERVAL = 1.0
# What both 2.6 and 3.0 log when the master keeps the old worker.
_FAILURE = "Loading failure!"
_REASONS = {errno.EADDRINUSE: "another program uses it", errno.EADDRNOTAVAIL: "the host has no such address"}
_ALERT = re.compile(r"^\[ALERT\]\s*\(\d+\) : (?:config : )?(.*)$", re.MULTILINE)


class ProxyError(RuntimeError):
    """HAProxy did not load the configuration; the previous one is still in use."""


class ProxyFileError(ProxyError):
    """The file cannot be written, as on a full disk; HAProxy itself did not reject the configuration."""


def read() -> str | None:
    """Return the content of the file; None if it does not exist."""
    try:
        return Path(CONFIG_DIR, CONFIG_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


def loaded() -> str | None:
    """Return the description of the worker on the admin socket; empty if it has none, None if nothing answers."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(SOCKET)
            connection.sendall(b"show info\n")
            with connection.makefile(encoding="utf-8", errors="replace") as answer:
                lines = answer.read().splitlines()
    except OSError:
        return None
    values = (line.partition(": ")[2] for line in lines if line.lower().startswith("description: "))
    return next(values, "") if lines else None


def is_loaded(text: str) -> bool:
    """Return whether the file is ``text`` and the running worker has loaded it."""
    return read() == text and loaded() == config_id(text)


def load(text: str, timeout: float = 30.0) -> bool:
    """Load ``text`` into the proxy; return True if that was a change.

    Raises ProxyError if it fails; the file and the running worker are then unchanged.
    """
    if not Path(CONFIG_DIR, _ROLES_FILE).exists():
        raise ProxyError(
            f"{CONFIG_DIR} has no {_ROLES_FILE}; apply the role selfhost.langgraph.proxy to the host first"
        )
    if is_loaded(text):
        return False
    before, file = read(), Path(CONFIG_DIR, CONFIG_FILE)
    try:
        new = _written(text)
        try:
            _check(new)
            _check_listeners(text, before or "")
            _keep(file)
            os.replace(new, file)
        finally:
            new.unlink(missing_ok=True)
        _sync()
    except OSError as error:
        raise ProxyFileError(
            f"the proxy's configuration file cannot be written; nothing was changed: {error.strerror}"
        ) from error
    failpoint("routed")
    started = time.time()
    try:
        _reload(started)
        _wait(config_id(text), started, timeout)
    except ProxyError:
        _put_back()
        raise
    finally:
        _kept(file).unlink(missing_ok=True)
    return True


def _written(text: str) -> Path:
    """Write the text to a temporary file; a reload in between ignores it, as HAProxy skips names that begin with a dot."""
    descriptor, name = tempfile.mkstemp(prefix=f".{CONFIG_FILE}.", dir=CONFIG_DIR)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
    except OSError:
        os.unlink(name)
        raise
    return Path(name)


def _kept(file: Path) -> Path:
    return file.with_name(f".{file.name}.before")


def _keep(file: Path) -> None:
    """Keep the present file under a second name: restoring it must not need disk space."""
    _kept(file).unlink(missing_ok=True)
    if file.exists():
        os.link(file, _kept(file))


def _sync() -> None:
    descriptor = os.open(CONFIG_DIR, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check(new: Path) -> None:
    """Validate the configuration directory with ``new`` in place of the present file."""
    directory = Path(CONFIG_DIR)
    files = sorted({*directory.glob("[!.]*.cfg"), directory / CONFIG_FILE})
    command = ["/usr/sbin/haproxy", "-c"]
    for file in files:
        command += ["-f", str(new if file.name == CONFIG_FILE else file)]
    done = run(command)
    if done.returncode == 0:
        return
    complaints = _complaints(done.stderr) or done.stderr.strip() or f"it ended with {done.returncode}"
    lines = [
        f"line {number} is '{line.strip()}'"
        for number, line in enumerate(new.read_text(encoding="utf-8").splitlines(), 1)
        if f"{new}:{number}]" in complaints
    ]
    message = "; ".join([complaints.replace(str(new), CONFIG_FILE), *lines])
    raise ProxyError(f"HAProxy rejects the configuration; nothing was changed: {message}")


def _check_listeners(text: str, before: str) -> None:
    """Bind every listener as HAProxy will, without listening.

    HAProxy's own check does not bind, and a reload that fails to bind pauses the old worker for two seconds: requests would
    be lost. On ports that the proxy already has, SO_REUSEPORT allows one user to bind twice; on others it would share the
    port with any other HAProxy.
    """
    ours = {port for _address, port in listeners(before)}
    for address, port in listeners(text):
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, int(port in ours))
            try:
                attempt.bind((address, port))
            except OSError as error:
                reason = _REASONS.get(error.errno or 0, error.strerror)
                where = f"{address} port {port}"
                raise ProxyError(f"the proxy cannot listen on {where}; nothing was changed: {reason}") from error


def _reload(started: float) -> None:
    # Starts it if it does not run.
    command = ["systemctl", "reload-or-restart", UNIT]
    done = run(command)
    if done.returncode != 0:
        reason = _complaints(_logged(started)) or done.stderr.strip()
        raise ProxyError(f"{UNIT} cannot be reloaded or started; the previous configuration was restored: {reason}")


def _wait(wanted: str, started: float, timeout: float) -> None:
    """Wait until the worker with the description ``wanted`` answers, or has failed."""
    deadline = time.monotonic() + timeout
    next_read = time.monotonic() + _JOURNAL_INTERVAL
    while loaded() != wanted:
        now = time.monotonic()
        if now > next_read or now > deadline:
            logged = _logged(started)
            if _FAILURE in logged:
                reason = _complaints(logged)
                raise ProxyError(f"the new configuration failed; the old worker continues to serve: {reason}")
            next_read = now + _JOURNAL_INTERVAL
        if now > deadline:
            reason = _complaints(logged) or f"see journalctl -u {UNIT}"
            raise ProxyError(f"no new worker within {timeout:g} s; the old worker continues to serve: {reason}")
        time.sleep(_INTERVAL)


def _logged(started: float) -> str:
    command = ["journalctl", "--unit", UNIT, "--since", f"@{started:.3f}", "--output", "cat", "--no-pager", "--quiet"]
    return run(command).stdout


def _complaints(output: str) -> str:
    return "; ".join(_ALERT.findall(output))


def _put_back() -> None:
    """Restore the previous file for the next reload or reboot, and request a reload at once.

    A worker with the new configuration may still be starting, and would serve routes that the caller has given up.
    """
    file = Path(CONFIG_DIR, CONFIG_FILE)
    if _kept(file).exists():
        os.replace(_kept(file), file)
    else:
        file.unlink(missing_ok=True)
    _sync()
    run(["systemctl", "--no-block", "reload-or-restart", UNIT])
