# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proxy's file, its reload, and what is left where it fails; with an HAProxy that only pretends."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import config, reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy.config import Route, config_id, render
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy.reload import ProxyError

ROOT = Path(__file__).parents[5]
OLD = render([Route("bot", 1, 30001, "127.0.0.1", 8123)])
NEW = render([Route("bot", 2, 30002, "127.0.0.1", 8123)])
# HAProxy 2.6 (Debian 12) and 3.0 (Debian 13).
REFUSAL = """\
[NOTICE]   (7) : haproxy version is 2.6.12-1+deb12u4
[ALERT]    (7) : config : parsing [{file}:12] : 'server bot/revision-2' : unknown keyword 'x'.
[ALERT]    (7) : config : Fatal errors found in configuration.
"""
FAILURE = """\
[NOTICE]   (1778) : Reloading HAProxy
[ALERT]    (1778) : Binding [/etc/langgraph-proxy/10-deployments.cfg:7] for frontend port-8123: protocol tcpv4: cannot \
bind socket (Address already in use) for [127.0.0.1:8123].
[WARNING]  (1778) : Loading failure!
"""


class Machine:
    """A configuration directory, a worker that loads it on a reload, and the commands that were run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "10-deployments.cfg"
        self.loaded: str | None = None
        self.commands: list[list[str]] = []
        # What goes wrong: haproxy -c, systemctl, the worker; and what the journal says.
        self.check_code = self.systemctl_code = 0
        self.follows = True
        self.journal = ""

    def run(self, command: list[str], **_more: t.Any) -> subprocess.CompletedProcess[str]:
        self.commands.append(command)
        program = Path(command[0]).name
        if program == "haproxy":
            error = REFUSAL.format(file=command[-1]) if self.check_code else ""
            return subprocess.CompletedProcess(command, self.check_code, "", error)
        if program == "journalctl":
            return subprocess.CompletedProcess(command, 0, self.journal, "")
        if self.systemctl_code == 0 and self.follows:
            self.loaded = config_id(self.file.read_text()) if self.file.exists() else ""
        return subprocess.CompletedProcess(command, self.systemctl_code, "", "Job failed.\n")

    def ran(self, program: str) -> list[list[str]]:
        return [command for command in self.commands if Path(command[0]).name == program]

    def serve(self, text: str) -> None:
        self.file.write_text(text)
        self.loaded = config_id(text)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Machine:
    (tmp_path / "00-global.cfg").write_text("global\n")
    made = Machine(tmp_path)
    monkeypatch.setattr(reload, "CONFIG_DIR", str(tmp_path))
    monkeypatch.setattr(reload, "loaded", lambda: made.loaded)
    monkeypatch.setattr(reload, "_check_listeners", lambda _text, _before: None)
    monkeypatch.setattr(reload, "_JOURNAL_INTERVAL", 0.0)
    monkeypatch.setattr(reload, "run", made.run)
    return made


def test_the_first_configuration(machine: Machine) -> None:
    assert reload.read() is None
    assert reload.load(NEW) is True
    assert reload.read() == NEW
    assert machine.loaded == config_id(NEW)
    assert machine.file.stat().st_mode & 0o777 == 0o644
    assert machine.ran("systemctl") == [["systemctl", "reload-or-restart", "langgraph-proxy.service"]]


def test_a_second_run_does_nothing(machine: Machine) -> None:
    reload.load(NEW)
    machine.commands.clear()
    assert reload.load(NEW) is False
    assert machine.commands == []


@pytest.mark.parametrize("loaded", [None, "", config_id(OLD)])
def test_a_worker_that_has_not_loaded_the_file_is_told_again(machine: Machine, loaded: str | None) -> None:
    machine.serve(NEW)
    machine.loaded = loaded
    assert reload.load(NEW) is True
    assert machine.loaded == config_id(NEW)


def test_without_the_role_there_is_nothing_to_configure(machine: Machine) -> None:
    (machine.folder / "00-global.cfg").unlink()
    with pytest.raises(ProxyError, match=r"apply the role selfhost\.langgraph\.proxy"):
        reload.load(NEW)


def test_the_whole_folder_is_checked_with_the_new_file_in_its_place(machine: Machine) -> None:
    machine.serve(OLD)
    (machine.folder / "50-own.cfg").write_text("")
    (machine.folder / ".10-deployments.cfg.left").write_text("")
    reload.load(NEW)
    (command,) = machine.ran("haproxy")
    files = [Path(file) for file in command[command.index("-f") + 1 :: 2]]
    assert [file.name for file in (files[0], files[2])] == ["00-global.cfg", "50-own.cfg"]
    # HAProxy skips what begins with a dot, so a reload in between does not see it.
    assert files[1].name.startswith(".10-deployments.cfg.")
    assert len(files) == 3


def left_alone(machine: Machine) -> bool:
    """The old file, nothing beside it, and the old worker."""
    files = sorted(path.name for path in machine.folder.iterdir())
    return machine.file.read_text() == OLD and machine.loaded == config_id(OLD) and files[1:] == ["10-deployments.cfg"]


def test_what_haproxy_refuses_changes_nothing(machine: Machine) -> None:
    machine.serve(OLD)
    machine.check_code = 1
    with pytest.raises(ProxyError) as raised:
        reload.load(NEW)
    message = str(raised.value)
    assert "nothing was changed: parsing [10-deployments.cfg:12] : 'server bot/revision-2' : unknown keyword" in message
    assert f"line 12 is '{NEW.splitlines()[11].strip()}'" in message
    assert left_alone(machine)
    assert machine.ran("systemctl") == []


def test_a_reload_that_fails_is_told_in_haproxys_words_and_taken_back(machine: Machine) -> None:
    machine.serve(OLD)
    machine.follows, machine.journal = False, FAILURE
    with pytest.raises(ProxyError, match=r"the old worker continues to serve: Binding .* cannot bind socket"):
        reload.load(NEW)
    assert left_alone(machine)


def test_a_first_configuration_that_fails_leaves_no_file(machine: Machine) -> None:
    machine.follows, machine.journal = False, FAILURE
    with pytest.raises(ProxyError):
        reload.load(NEW)
    assert reload.read() is None


def test_a_worker_that_is_late_is_reloaded_away(machine: Machine) -> None:
    machine.serve(OLD)
    machine.follows = False
    with pytest.raises(ProxyError, match=r"no new worker within 0 s; .* see journalctl -u langgraph-proxy"):
        reload.load(NEW, timeout=0.0)
    assert left_alone(machine)
    # Otherwise it would come up with what has been given up.
    assert machine.ran("systemctl")[-1] == ["systemctl", "--no-block", "reload-or-restart", "langgraph-proxy.service"]


def test_a_unit_that_does_not_start(machine: Machine) -> None:
    machine.serve(OLD)
    machine.systemctl_code = 1
    with pytest.raises(ProxyError, match=r"langgraph-proxy.service cannot be reloaded or started; .*: Job failed\.$"):
        reload.load(NEW)
    assert left_alone(machine)


@pytest.fixture
def port() -> t.Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_port_that_another_program_has(port: int) -> None:
    text = render([Route("bot", 1, 30001, "127.0.0.1", port)])
    with pytest.raises(
        ProxyError, match=f"cannot listen on 127.0.0.1 port {port}; nothing was changed: another program"
    ):
        reload._check_listeners(text, OLD)


def test_a_port_that_another_haproxy_has() -> None:
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        server.bind(("127.0.0.1", 0))
        server.listen()
        text = render([Route("bot", 1, 30001, "127.0.0.1", server.getsockname()[1])])
        with pytest.raises(ProxyError, match="another program uses it"):
            reload._check_listeners(text, OLD)
        # The proxy's own listeners are no obstacle.
        reload._check_listeners(text, text)


def test_an_address_that_the_host_has_not() -> None:
    with pytest.raises(ProxyError, match="the host has no such address"):
        reload._check_listeners(render([Route("bot", 1, 30001, "192.0.2.1", 8123)]), "")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (f"Name: HAProxy\nPid: 7\nnode: h\ndescription: {config_id(OLD)}\nStopping: 0\n\n", config_id(OLD)),
        (f"Name: HAProxy\nDescription: {config_id(OLD)}\n", config_id(OLD)),
        ("Name: HAProxy\nnode: h\n\n", ""),
        ("", None),
    ],
)
def test_the_mark_of_the_running_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: str, expected: str | None
) -> None:
    path = str(tmp_path / "s")
    monkeypatch.setattr(reload, "SOCKET", path)
    assert reload.loaded() is None
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()

        def serve() -> None:
            connection, _address = server.accept()
            with connection:
                assert connection.recv(64) == b"show info\n"
                connection.sendall(answer.encode())

        thread = threading.Thread(target=serve)
        thread.start()
        assert reload.loaded() == expected
        thread.join()


def test_a_worker_that_does_not_answer_in_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(reload, "SOCKET", str(tmp_path / "s"))
    monkeypatch.setattr(reload, "_ANSWER_SECONDS", 0.05)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        assert reload.loaded() is None


def test_the_role_and_the_modules_mean_the_same_places() -> None:
    names = yaml.safe_load((ROOT / "roles/proxy/vars/main.yml").read_text())
    assert names["_proxy_config_dir"] == reload.CONFIG_DIR
    assert f"{names['_proxy_run_dir']}/admin.sock" == reload.SOCKET
    assert names["_proxy_service"] == reload.UNIT
    assert os.path.join(reload.CONFIG_DIR, "certificates", "") == config.CERTIFICATES
