# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Another Python before the distribution's on PATH: which of them runs a module, and what is said where none can."""

from __future__ import annotations

import sys
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import ansible_module

MISSING = "Traceback: no module"


class Failed(Exception):
    """What the module says at its end."""


class Again(Exception):
    """The module continues in the other Python."""


class Module:
    """As much of a module as it takes to fail."""

    def fail_json(self, msg: str, exception: str) -> t.NoReturn:
        assert exception == MISSING
        raise Failed(msg)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """Say which libraries the distribution's Python has."""

    def give(*names: str, respawned: bool = False) -> None:
        def again() -> t.NoReturn:
            raise Again

        monkeypatch.setattr(ansible_module, "_imports", lambda _interpreter, asked: set(asked) & set(names))
        monkeypatch.setattr(ansible_module, "_run_again", again)
        monkeypatch.setattr(ansible_module.respawn, "has_respawned", lambda: respawned)

    return give


def need(docker: bool, psycopg: bool | None = None) -> None:
    """What a module does that needs the one, and can do without the other; whether this Python has them."""
    wished = [] if psycopg is None else [("psycopg", None if psycopg else MISSING)]
    ansible_module.require(t.cast(t.Any, Module()), ("docker", None if docker else MISSING), wished=wished)


def test_a_python_with_the_libraries_runs_the_module(there: t.Any) -> None:
    there("docker", "psycopg")
    need(docker=True, psycopg=True)


def test_no_other_python_is_asked_then(there: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    there()
    monkeypatch.setattr(ansible_module, "_imports", lambda *_: pytest.fail("asked"))
    need(docker=True, psycopg=True)


@pytest.mark.parametrize(
    ("has", "docker", "psycopg"),
    [
        (["docker"], False, None),
        (["docker"], False, False),
        # What is needed counts for more than what is wished.
        (["docker"], False, True),
        (["docker", "psycopg"], True, False),
    ],
)
def test_the_distributions_does_where_it_has_more(
    there: t.Any, has: list[str], docker: bool, psycopg: bool | None
) -> None:
    there(*has)
    with pytest.raises(Again):
        need(docker, psycopg)


@pytest.mark.parametrize("has", [[], ["docker"], ["psycopg"]])
def test_what_is_there_is_not_given_up(there: t.Any, has: list[str]) -> None:
    there(*has)
    if has == ["psycopg"]:
        need(docker=True, psycopg=True)
    else:
        need(docker=True, psycopg=False)


@pytest.mark.parametrize("respawned", [False, True])
def test_none_has_it(there: t.Any, respawned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    there(*(["docker"] if respawned else []), respawned=respawned)
    monkeypatch.setattr(sys, "executable", "/usr/local/bin/python3.14")
    with pytest.raises(Failed) as said:
        need(docker=False)
    assert str(said.value) == (
        "the Python library 'docker' is missing for /usr/local/bin/python3.14 and for /usr/bin/python3; on Debian and Ubuntu, "
        "install the package python3-docker"
    )


def test_the_distributions_own_lacks_it(there: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    there()
    monkeypatch.setattr(sys, "executable", "/usr/bin/python3")
    with pytest.raises(Failed) as said:
        need(docker=False)
    assert "nor has" not in str(said.value)


def test_what_a_python_can_import() -> None:
    assert ansible_module._imports(sys.executable, ["json", "no_such_library"]) == {"json"}
    assert ansible_module._imports("/no/such/python", ["json"]) == set()


def test_options_that_no_pipe_holds(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    """Ansible's own way writes them before anybody reads, and hangs for ever from 64 KiB on."""
    payload = f"options = {'x' * 300_000!r}\nprint(len(options))\nraise SystemExit(7)\n"
    monkeypatch.setattr(ansible_module, "DISTRIBUTION", sys.executable)
    monkeypatch.setattr(ansible_module.respawn._respawn, "create_payload", lambda: payload)
    with pytest.raises(SystemExit) as ended:
        ansible_module._run_again()
    assert ended.value.code == 7
    assert capfd.readouterr().out == "300000\n"
