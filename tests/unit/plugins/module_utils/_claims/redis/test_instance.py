# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role redis reads from its own server, and the changes that it refuses."""

from __future__ import annotations

import socket
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import instance
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.instance import Reading
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import units
from ansible_collections.selfhost.langgraph.plugins.modules import redis_instance_info

WANTED = {"databases": "64", "appendonly": "yes", "dir": "/var/lib/langgraph-redis", "save": ""}
RUNNING = dict(WANTED)
UNIT = {
    "exists": True,
    "active": True,
    "starting": False,
    "enabled": True,
    "started": 1.0,
    "stale": False,
    "stale_because": [],
}
REPLIES = [
    {"databases": "64"},
    {":server": "5b3e1f9c", "bot-a": "1 0a1b", "bot-b": "20", ":ending:bot-a": "1"},
    {"db0": {"keys": 2}, "db30": {"keys": 1}},
]


class Denied(Exception):
    """An error that a server may return for a single command."""


def test_replies_are_understood_as_redis_py_gives_them() -> None:
    reading = instance.read_replies(REPLIES)
    assert reading == Reading({"databases": "64"}, {"bot-a": 1, "bot-b": 20}, [0, 30])


def test_replies_are_understood_as_the_server_gives_them() -> None:
    raw = [["databases", "64"], ["bot-b", "20"], "# Keyspace\r\ndb30:keys=1,expires=0\r\n"]
    assert instance.read_replies(raw) == Reading({"databases": "64"}, {"bot-b": 20}, [30])


def test_what_a_server_does_not_say_is_not_there() -> None:
    assert instance.read_replies([Denied(), Denied(), Denied()]) == Reading()


def test_a_file_is_read_as_redis_reads_it() -> None:
    text = '# databases 3\n\ndatabases 16\nsave ""\nDatabases 64\nunixsocket "/run/a b.sock"\nrename it\'s\n'
    assert instance.directives(text) == {
        "databases": "64",
        "save": "",
        "unixsocket": "/run/a b.sock",
        "rename": "it's",
    }


@pytest.mark.parametrize(
    ("running", "expected"),
    [
        (RUNNING, {}),
        (RUNNING | {"databases": "16"}, {"databases": {"wanted": "64", "running": "16"}}),
        (RUNNING | {"save": "3600 1"}, {"save": {"wanted": "", "running": "3600 1"}}),
        # As another spelling of the same value, and as a path with a link in it.
        (RUNNING | {"appendonly": "YES", "dir": "/var/lib/../lib/langgraph-redis"}, {}),
        # What a server does not report cannot be compared.
        ({"databases": "64"}, {}),
    ],
)
def test_differences(running: dict[str, str], expected: dict[str, t.Any]) -> None:
    assert instance.differences(WANTED, running) == expected


@pytest.mark.parametrize(
    ("databases", "why"),
    [
        (31, ""),
        (30, "database 30 has keys: set it to 31 or more"),
        (16, "database 30 has keys: set it to 31 or more"),
    ],
)
def test_numbers_with_keys_are_kept(databases: int, why: str) -> None:
    said = instance.too_few_databases(databases, Reading(claims={"bot": 20}, dbs=[0, 1, 30]))
    assert why in said
    assert bool(said) == bool(why)


def test_a_claimed_number_is_kept_without_a_key() -> None:
    said = instance.too_few_databases(16, Reading(claims={"bot": 20, "small": 3}, dbs=[0, 20]))
    assert said == (
        "redis_databases: 16 is too low, because database 20 is claimed by 'bot': set it to 21 or more, or remove that deployment "
        "first; nothing was changed"
    )


@pytest.mark.parametrize(("before", "refused"), [("64", True), ("16", False), ("", False), ("many", False)])
def test_numbers_are_not_lowered_while_nobody_can_ask(before: str, refused: bool) -> None:
    assert bool(instance.unknown_databases(16, {"databases": before}, "refused")) == refused


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """Simulate a host with an instance that returns REPLIES; return the replies by socket, to change them."""
    answers: dict[str, t.Any] = {str(tmp_path / "redis.sock"): REPLIES}

    class Client:
        def __init__(self, socket: str) -> None:
            self.socket = socket

        def pipeline(self, _questions: t.Any) -> t.Any:
            return answers[self.socket]

        def close(self) -> None:
            pass

    def connect(params: dict[str, t.Any]) -> Client:
        answer = answers[params["login_unix_socket"]]
        if isinstance(answer, Exception):
            raise ClaimError("cannot use Redis: no") from answer
        return Client(params["login_unix_socket"])

    def earlier(implementation: str) -> instance.Earlier:
        paths = (str(tmp_path / implementation / name) for name in ("langgraph.conf", "socket", "password"))
        return instance.Earlier(implementation, *paths)

    monkeypatch.setattr(redis_instance_info, "connect", connect)
    monkeypatch.setattr(redis_instance_info, "connection_error", lambda path: "" if path in answers else "no such file")
    monkeypatch.setattr(redis_instance_info, "REDIS_IMPORT_ERROR", None)
    monkeypatch.setattr(instance, "earlier_of", earlier)
    monkeypatch.setattr(instance, "drop_in_of", lambda name: str(tmp_path / f"{name}.drop-in"))
    monkeypatch.setattr(units, "look", lambda wanted: {unit.name: dict(UNIT) for unit in wanted})
    for name, text in {"langgraph.conf": "databases 64\n", "users.acl": "", "admin.password": "x"}.items():
        (tmp_path / name).write_text(text)
    return answers


def parameters(tmp_path: Path, **more: t.Any) -> dict[str, t.Any]:
    """Return the module's parameters for this directory."""
    names = {"config_file": "langgraph.conf", "acl_file": "users.acl", "password_file": "admin.password"}
    paths = {key: str(tmp_path / name) for key, name in {**names, "unix_socket": "redis.sock"}.items()}
    given = {"implementation": "redis", "databases": 64, "settings": {"databases": 64}, **paths}
    return given | more


def look(tmp_path: Path, **more: t.Any) -> dict[str, t.Any]:
    """Return the module's result for this directory."""
    return redis_instance_info.inspect(parameters(tmp_path, **more))


@pytest.mark.usefixtures("host")
def test_a_server_that_is_as_it_should_be(tmp_path: Path) -> None:
    found = look(tmp_path)
    assert (found["refusal"], found["restart"], found["different"]) == ("", False, {})
    assert found["configured"]
    assert found["prepared"]
    assert found["answers"]
    assert found["claims"] == {"bot-a": 1, "bot-b": 20}


@pytest.mark.usefixtures("host")
@pytest.mark.parametrize("unit", [{"active": False}, {"stale": True}])
def test_a_unit_that_has_to_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unit: dict[str, t.Any]
) -> None:
    monkeypatch.setattr(units, "look", lambda wanted: {item.name: UNIT | unit for item in wanted})
    assert look(tmp_path)["restart"]


@pytest.mark.usefixtures("host")
def test_a_server_that_runs_with_something_else_has_to_start_again(tmp_path: Path) -> None:
    found = look(tmp_path, databases=128, settings={"databases": 128})
    assert (found["restart"], found["different"]) == (True, {"databases": {"wanted": "128", "running": "64"}})
    assert not found["refusal"]


@pytest.mark.usefixtures("host")
def test_a_number_in_use_is_not_taken_away(tmp_path: Path) -> None:
    assert "database 30 has keys" in look(tmp_path, databases=16)["refusal"]


def test_a_server_that_does_not_answer_keeps_its_numbers(tmp_path: Path, host: dict[str, t.Any]) -> None:
    host.clear()
    found = look(tmp_path, databases=16)
    assert "does not report which databases are in use (no such file)" in found["refusal"]
    assert look(tmp_path)["refusal"] == ""


def test_a_server_that_is_busy_keeps_its_numbers(tmp_path: Path, host: dict[str, t.Any]) -> None:
    host[str(tmp_path / "redis.sock")] = [Denied("BUSY a script")] * 3
    found = look(tmp_path, databases=16)
    assert "does not report which databases are in use (BUSY a script)" in found["refusal"]
    assert not found["answers"]


@pytest.mark.parametrize("answer", [None, Denied(), [Denied("BUSY a script")] * 3])
def test_a_server_that_runs_and_does_not_answer_is_left_alone(
    tmp_path: Path, host: dict[str, t.Any], answer: t.Any
) -> None:
    path = str(tmp_path / "redis.sock")
    host.pop(path) if answer is None else host.update({path: answer})
    found = look(tmp_path)
    assert not found["restart"]
    assert found["silent"].startswith(f"Redis at {path} does not respond (")
    assert "(systemctl restart redis-server@langgraph.service)" in found["silent"]


def test_what_listens_without_a_unit_is_left_alone(
    tmp_path: Path, host: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "look", lambda wanted: {item.name: UNIT | {"active": False} for item in wanted})
    host[str(tmp_path / "redis.sock")] = Denied()
    assert look(tmp_path)["silent"]
    host.clear()
    found = look(tmp_path)
    assert (found["silent"], found["restart"]) == ("", True)


@pytest.mark.usefixtures("host")
def test_a_server_that_reads_its_data_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads = UNIT | {"active": False, "starting": True}
    monkeypatch.setattr(units, "look", lambda wanted: {item.name: loads for item in wanted})
    monkeypatch.setattr(redis_instance_info, "connection_error", lambda path: "no such file")
    found = look(tmp_path)
    assert (found["restart"], bool(found["silent"])) == (False, True)


@pytest.mark.usefixtures("host")
def test_the_library_may_come_with_the_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_instance_info, "REDIS_IMPORT_ERROR", "no redis")
    found = look(tmp_path)
    assert not found["restart"]
    assert "python3-redis is missing" in found["silent"]
    assert redis_instance_info.inspect(parameters(tmp_path), check_mode=True)["silent"] == ""


def test_a_file_that_was_not_read_is_a_reason_whether_it_answers_or_not(
    tmp_path: Path, host: dict[str, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    stale = UNIT | {"stale": True, "stale_because": ["/f"]}
    monkeypatch.setattr(units, "look", lambda wanted: {item.name: stale for item in wanted})
    assert look(tmp_path, databases=128, settings={"databases": 128})["restart_because"] == ["databases", "/f"]
    host.clear()
    found = look(tmp_path)
    assert (found["restart"], found["silent"]) == (True, "")


@pytest.mark.usefixtures("host")
def test_an_upgrade_of_the_package_is_no_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[units.Wanted] = []
    monkeypatch.setattr(units, "look", lambda wanted: asked.extend(wanted) or {item.name: UNIT for item in wanted})
    look(tmp_path)
    files = (str(tmp_path / "langgraph.conf"), str(tmp_path / "redis.drop-in"))
    assert asked == [units.Wanted("redis-server@langgraph.service", files, unit_files=False)]


def test_nobody_waits_for_a_server_that_is_not_there(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    assert redis_instance_info.connection_error(path) == f"{path}: No such file or directory"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        assert redis_instance_info.connection_error(path) == f"{path}: Connection refused"
        server.listen()
        assert redis_instance_info.connection_error(path) == ""


def test_the_socket_of_the_file_is_the_one_that_answers(tmp_path: Path, host: dict[str, t.Any]) -> None:
    host["/run/before.sock"] = host.pop(str(tmp_path / "redis.sock"))
    (tmp_path / "langgraph.conf").write_text("databases 64\nunixsocket /run/before.sock\n")
    assert look(tmp_path)["answers"]


@pytest.mark.usefixtures("host")
def test_a_bare_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_instance_info, "REDIS_IMPORT_ERROR", "no redis")
    for name in ("langgraph.conf", "users.acl", "admin.password"):
        (tmp_path / name).unlink()
    found = look(tmp_path)
    assert (found["refusal"], found["configured"], found["prepared"], found["answers"]) == ("", False, False, False)


@pytest.mark.usefixtures("host")
def test_the_other_implementation_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "redis.drop-in").touch()
    assert "have their data in redis" in look(tmp_path, implementation="valkey")["refusal"]
    assert look(tmp_path)["refusal"] == ""


@pytest.mark.parametrize("implementation", ["redis", "valkey"])
def test_claims_in_the_distributions_server_are_refused_by_name(
    tmp_path: Path, host: dict[str, t.Any], implementation: str
) -> None:
    (tmp_path / "langgraph.conf").unlink()
    (tmp_path / implementation).mkdir()
    config = tmp_path / implementation / "langgraph.conf"
    config.write_text("include /etc/redis/redis.conf\n")
    assert f"that {implementation} cannot be checked for claims" in look(tmp_path)["refusal"]
    host[str(tmp_path / implementation / "socket")] = REPLIES
    said = look(tmp_path)["refusal"]
    assert said.startswith(f"the claims of bot-a, bot-b are in the distribution's {implementation} ({config}), where")
    assert "docs/move-services.md" in said
    # A server that never had a claim is no obstacle.
    host[str(tmp_path / implementation / "socket")] = [{}, {":server": "x"}, {}]
    assert look(tmp_path)["refusal"] == ""


@pytest.mark.usefixtures("host")
def test_who_has_moved_may_keep_the_file_of_before(tmp_path: Path) -> None:
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis/langgraph.conf").touch()
    assert look(tmp_path)["refusal"] == ""


def test_a_password_that_does_not_fit_is_said(tmp_path: Path, host: dict[str, t.Any]) -> None:
    class AuthenticationError(Exception):
        """Like that of redis-py."""

    host[str(tmp_path / "redis.sock")] = AuthenticationError()
    assert "admin.password does not have the password that Redis expects" in look(tmp_path)["refusal"]
    host.clear()
    (tmp_path / "admin.password").unlink()
    assert "admin.password is missing" in look(tmp_path)["refusal"]
