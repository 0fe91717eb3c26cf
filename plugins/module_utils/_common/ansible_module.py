# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The common base of the collection's modules: a log without secrets, and the Python that has their libraries."""

from __future__ import annotations

import subprocess
import sys
import typing as t

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common import respawn

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run

# The distribution's libraries are for its own Python, and another Python may come first on PATH.
DISTRIBUTION = "/usr/bin/python3"
PACKAGES = {"docker": "python3-docker", "psycopg": "python3-psycopg", "redis": "python3-redis"}
# The name of a library, and the error of its import here, if any.
Library = t.Tuple[str, t.Any]  # noqa: UP006 - Python 3.8
_IMPORT = """
import importlib, sys
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        print(name)
    except ImportError:
        pass
"""


class UnloggedModule(AnsibleModule):
    """A module that does not log its options on the host.

    Ansible writes every option there and masks secrets that sit inside a list by looking for the secret in the list's
    ``repr``. A secret with a line break, a quote or a backslash reads differently there and is not found (seen with
    ansible-core 2.19 and an environment file: all of it was in the journal).
    """

    def _log_invocation(self) -> None:
        self.log("Invoked; the options are not logged, as some hold secrets")


def require(module: AnsibleModule, *needed: Library, wished: t.Sequence[Library] = ()) -> None:
    """Continue in the Python that has the libraries: this one, or the distribution's own.

    Returns here or never: the module is run again with the other Python, as Ansible's module apt does. Fails with one line
    if neither has the ``needed`` libraries. ``wished`` libraries are optional.
    """
    libraries = (*needed, *wished)
    here = [error is None for _name, error in libraries]
    if all(here):
        return
    if not respawn.has_respawned():
        there = _imports(DISTRIBUTION, [name for name, _error in libraries])
        # The first one in which they differ decides.
        if [name in there for name, _error in libraries] > here:
            _run_again()
    for name, error in needed:
        if error is not None:
            others = "" if sys.executable == DISTRIBUTION else f" and for {DISTRIBUTION}"
            package = PACKAGES.get(name, name)
            module.fail_json(
                msg=f"the Python library '{name}' is missing for {sys.executable}{others}; "
                f"on Debian and Ubuntu, install the package {package}",
                exception=error,
            )


def _imports(interpreter: str, names: t.Sequence[str]) -> set[str]:
    """Return the libraries that a Python can import."""
    try:
        return set(run([interpreter, "-c", _IMPORT, *names]).stdout.split())
    except OSError:
        return set()


def _run_again() -> t.NoReturn:
    """Run the module with the distribution's Python, and exit with its exit code.

    Ansible's own respawn_module writes the options to a pipe that nobody reads yet: the options of a long list of deployments
    do not fit (64 KiB), and the module would hang for ever.
    """
    payload = respawn._respawn.create_payload()
    # Its output is the output of this module.
    done = subprocess.run([DISTRIBUTION, "--"], input=payload.encode(), check=False)  # pylint: disable=ansible-bad-function
    sys.exit(done.returncode)  # pylint: disable=ansible-bad-function
