# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users of Redis: which are set, what happens if two runs meet, and whose sessions end."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import CommandSets, User
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import Plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.users import (
    apply,
    check_channels,
    require_user_rights,
    to_end,
)

STATE = ServerState("8.0", False, 16, "/x", False, False, False, "admin", CommandSets({}), {}, rules=[])
A = User("a", 1, frozenset({"h"}), frozenset({"a:*"}), frozenset({"a:*"}))
SET_A = ("ACL", "SETUSER", "a", *A.rules())
RECORD = "selfhost.langgraph:claims"


def entry(name: str = "a", **more: t.Any) -> dict[str, t.Any]:
    return {"name": name, "password": "p", **more}


def plan(*users: User, **more: t.Any) -> Plan:
    return Plan(dbs={"a": 1}, fresh={}, users=[(user, ["user"]) for user in users], **more)


class FakeServer:
    """A server that writes down each pipeline, and answers from a table."""

    def __init__(self, **replies: t.Any) -> None:
        self.replies = replies
        self.done: list[tuple[t.Any, ...]] = []
        self.atomic: list[list[str]] = []

    def pipeline(self, commands: t.Sequence[tuple[t.Any, ...]], atomic: bool = False) -> list[t.Any]:
        self.done += commands
        if atomic:
            self.atomic.append([" ".join(command[:2]) for command in commands])
        return [self._reply(command) for command in commands]

    def _reply(self, command: tuple[t.Any, ...]) -> t.Any:
        for key in ("_".join(map(str, command[:2])), command[0]):
            if key in self.replies:
                return self.replies[key]
        return [] if command[:2] == ("ACL", "LIST") else "OK"

    @property
    def killed(self) -> list[str]:
        """Return the ids of the ended sessions."""
        return [command[3] for command in self.done if command[:2] == ("CLIENT", "KILL")]


def run(
    server: FakeServer,
    wanted: Plan,
    state: ServerState = STATE,
    entries: t.Sequence[dict[str, t.Any]] = ({"name": "a"},),
    addresses: t.Sequence[str] | None = None,
) -> None:
    ending = to_end(wanted, state, entries, addresses)
    apply(t.cast("t.Any", server), wanted, state, entries, ending, addresses)


def test_channels_in_the_list_and_on_the_server_are_compared() -> None:
    theirs = replace(STATE, rules=["user b on ~b:* resetchannels &lg:* +@all"])
    with pytest.raises(Refused, match="deployment 'a', option 'channel_patterns'"):
        check_channels([entry(channel_patterns=["lg:*"])], theirs)
    assert check_channels([entry()], theirs) == []
    # The user on the server is that of the entry itself.
    assert check_channels([entry("b")], theirs) == []
    both = [
        entry(channel_patterns=["lg:*"], shared_channels=True),
        entry("c", channel_patterns=["lg:*"], shared_channels=True),
    ]
    assert sorted(check_channels(both, STATE)) == ["a", "c"]


def test_rights_are_needed_only_for_what_changes() -> None:
    forbidden = replace(STATE, no_users="NOPERM")
    with pytest.raises(ClaimError, match="does not permit managing users .NOPERM.. Log in as a user that may use ACL"):
        require_user_rights(plan(A), forbidden)
    require_user_rights(plan(), forbidden)
    require_user_rights(plan(A), STATE)


def test_users_are_set_and_saved_in_one_transaction() -> None:
    server = FakeServer()
    run(server, plan(A, save=True))
    assert server.atomic == [["SET selfhost.langgraph:acl-unsaved", "ACL SETUSER", "ACL SAVE", "ACL LIST"]]
    assert SET_A in server.done
    assert server.done[-1] == ("DEL", "selfhost.langgraph:acl-unsaved")


def test_an_earlier_run_that_could_not_save_is_completed() -> None:
    server = FakeServer()
    run(server, plan(save=True))
    assert server.atomic == [["SET selfhost.langgraph:acl-unsaved", "ACL SAVE", "ACL LIST"]]


def test_nothing_to_do_sends_nothing() -> None:
    server = FakeServer()
    run(server, plan())
    assert server.done == []


def test_a_failure_names_the_user_or_the_file() -> None:
    with pytest.raises(ClaimError, match="could not change the user 'a': no. Nothing is lost"):
        run(FakeServer(ACL_SETUSER=RuntimeError("no")), plan(A))
    with pytest.raises(ClaimError, match="could not save the users to the aclfile: full"):
        run(FakeServer(ACL_SAVE=RuntimeError("full")), plan(A, save=True))


def test_the_later_of_two_runs_yields() -> None:
    """Another run created a user with overlapping channels meanwhile: ours is removed again."""
    meanwhile = ["user a on resetchannels &a:* +@all", "user other on resetchannels &a:* +@all"]
    server = FakeServer(ACL_LIST=meanwhile)
    with pytest.raises(Refused, match="channel_patterns"):
        run(server, plan(A, save=True), entries=[entry()])
    assert server.atomic[1] == ["SET selfhost.langgraph:acl-unsaved", "ACL DELUSER", "ACL SAVE", "ACL LIST"]
    assert ("ACL", "DELUSER", "a") in server.done


def test_a_user_that_existed_gets_its_old_rules_back() -> None:
    before = replace(STATE, rules=["user z on +@all", "user a off ~old:* +get"])
    server = FakeServer(ACL_LIST=["user other on resetchannels &a:* +@all"])
    with pytest.raises(Refused):
        run(server, plan(A), before, [entry()])
    assert ("ACL", "SETUSER", "a", "reset", "off", "~old:*", "+get") in server.done


def test_if_users_may_not_be_listed_channels_are_not_compared_again() -> None:
    server = FakeServer(ACL_LIST=["user other on resetchannels &a:* +@all"])
    run(server, plan(A), replace(STATE, rules=None), [entry()])
    assert server.atomic == [["SET selfhost.langgraph:acl-unsaved", "ACL SETUSER"]]


def test_marks_of_reset_passwords_go_at_the_end() -> None:
    server = FakeServer()
    run(server, plan(reset={"b", "a"}))
    assert server.done == [("HDEL", RECORD, ":reset:a"), ("HDEL", RECORD, ":reset:b")]
    shared = FakeServer()
    run(shared, plan(reset={"a"}), replace(STATE, cluster=True))
    assert shared.done == []


@pytest.mark.parametrize(
    ("retired", "fields", "addresses", "since", "expected"),
    [
        (set(), (), ["10.0.0.1"], {}, set()),
        ({"a"}, (), ["10.0.0.1"], {}, {"a"}),
        ({"a"}, (), [], {}, {"a"}),
        # Neither the addresses of running containers nor their age are known.
        ({"a"}, (), None, {}, set()),
        ({"a", "b"}, (), None, {"a": 1}, {"a"}),
        # An earlier run was killed before it ended them.
        (set(), (":ending:b", ":reset:c", "d"), ["10.0.0.1"], {}, {"b"}),
        ({"a"}, (":ending:b",), ["10.0.0.1"], {}, {"a", "b"}),
    ],
)
def test_whose_sessions_end(
    retired: set[str],
    fields: t.Sequence[str],
    addresses: list[str] | None,
    since: dict[str, int],
    expected: set[str],
) -> None:
    entries = [{"name": name, "sessions_since": since.get(name)} for name in ("a", "b")]
    state = replace(STATE, fields=frozenset(fields))
    assert to_end(plan(retired=retired), state, entries, addresses) == expected


CLIENTS = """id=1 addr=10.0.0.1:500 user=a age=5
id=2 addr=10.0.0.9:500 user=a age=5
id=3 addr=[::1]:500 user=a age=5
id=4 addr=/run/redis.sock:0 user=a age=5
id=5 addr=10.0.0.9:500 user=b age=5
id=6 addr=10.0.0.1:500 user=a age=500
id=7 addr=10.0.0.9:500 age=500"""


@pytest.mark.parametrize(
    ("addresses", "since", "killed"),
    [
        (["10.0.0.1"], None, ["2", "3"]),
        (["10.0.0.1", "::1"], None, ["2"]),
        ([], None, ["1", "2", "3", "6"]),
        # Time is 1000, so sessions began at 995 and 500; clocks may differ by ten seconds.
        (None, 990, ["6"]),
        (None, 1005, ["6"]),
        (None, 1006, ["1", "2", "3", "4", "6"]),
        (None, 510, []),
        (None, 511, ["6"]),
        (["10.0.0.1"], 990, ["2", "3", "6"]),
    ],
)
def test_sessions_that_no_running_container_can_have_end(
    addresses: list[str] | None, since: int | None, killed: list[str]
) -> None:
    server = FakeServer(CLIENT_LIST=CLIENTS, TIME=["1000", "5"])
    run(server, plan(retired={"a"}), entries=[{"name": "a", "sessions_since": since}], addresses=addresses)
    assert server.killed == killed
    assert ("HDEL", RECORD, ":ending:a") in server.done


def test_a_client_without_an_age_and_a_server_without_a_clock_are_left_alone() -> None:
    entries = [{"name": "a", "sessions_since": 2000}]
    server = FakeServer(CLIENT_LIST="id=1 addr=10.0.0.1:5 user=a", TIME=["1000", "5"])
    run(server, plan(retired={"a"}), entries=entries)
    assert server.killed == []
    server = FakeServer(CLIENT_LIST=CLIENTS, TIME=RuntimeError("no"))
    run(server, plan(retired={"a"}), entries=entries)
    assert server.killed == []


def test_sessions_that_must_end_and_cannot() -> None:
    for reply in (
        {"CLIENT_LIST": RuntimeError("NOPERM")},
        {"CLIENT_KILL": RuntimeError("NOPERM"), "CLIENT_LIST": CLIENTS},
    ):
        with pytest.raises(ClaimError, match="does not permit ending the sessions of a revoked password .NOPERM."):
            run(FakeServer(TIME=["1000", "5"], **reply), plan(retired={"a"}), addresses=[])


def test_users_whose_sessions_end_are_recorded_with_the_change() -> None:
    server = FakeServer(CLIENT_LIST="", TIME=["1000", "5"])
    run(server, plan(A, retired={"a"}), addresses=[])
    assert server.done.index(("HSET", RECORD, ":ending:a", "1")) < server.done.index(SET_A)
    assert server.done[-1] == ("HDEL", RECORD, ":ending:a")
