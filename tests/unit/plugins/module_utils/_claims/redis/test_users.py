# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users of Redis: which are set and deleted, and what happens if two runs meet."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import (
    CommandSets,
    User,
    password_hash,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.logins import Login
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import Plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.users import (
    apply,
    check_channels,
    forget_resets,
    require_user_rights,
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
        self.home = self
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


def run(
    server: FakeServer,
    wanted: Plan,
    state: ServerState = STATE,
    entries: t.Sequence[dict[str, t.Any]] = ({"name": "a"},),
) -> None:
    apply(t.cast("t.Any", server), wanted, state, entries)


def test_channels_in_the_list_and_on_the_server_are_compared() -> None:
    theirs = replace(STATE, rules=["user b on ~b:* resetchannels &lg:* +@all"])
    with pytest.raises(Refused, match="deployment 'a', option 'channel_patterns'"):
        check_channels([entry(channel_patterns=["lg:*"])], theirs)
    assert check_channels([entry()], theirs) == []
    # The user on the server is that of the entry itself.
    assert check_channels([entry("b", channel_patterns=["lg:*"])], theirs) == []


def test_a_user_that_stays_for_a_while_still_listens() -> None:
    """Its revision drains, or somebody has its password."""
    rules = ["user a on ~a:* resetchannels &lg:* +@all", "user a.b on ~a:* resetchannels &a:* +@all"]
    old = {"flags": ["on"], "passwords": ["x"], "commands": "+@all", "keys": "~a:*"}
    new = {**old, "passwords": [password_hash("p")]}
    draining = replace(STATE, rules=rules, users={"a": old, "a.b": new})
    listed = [entry("a", users_in_use=["a.b", "a"], retire=True), entry("c", channel_patterns=["lg:*"])]
    with pytest.raises(Refused, match="deployment 'c', option 'channel_patterns'"):
        check_channels(listed, draining)
    # Its own deployment's channels are no problem, and it is deleted once nothing uses it.
    assert check_channels([{**listed[0], "channel_patterns": ["lg:*"]}], draining) == []
    assert check_channels([{**listed[0], "users_in_use": ["a.b"]}, listed[1]], draining) == []
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
    """After the users of all nodes, so that a killed run is finished by the next."""
    server = FakeServer()
    run(server, plan(reset={"b", "a"}))
    assert server.done == []
    forget_resets(t.cast("t.Any", server), plan(reset={"b", "a"}))
    assert server.done == [("HDEL", RECORD, ":reset:a"), ("HDEL", RECORD, ":reset:b")]
    # In a cluster another node may have the record.
    shared, home = FakeServer(), FakeServer()
    shared.home = home
    forget_resets(t.cast("t.Any", shared), plan(reset={"a"}))
    assert (shared.done, home.done) == ([], [("HDEL", RECORD, ":reset:a")])


def test_a_user_that_nothing_uses_is_deleted_with_its_sessions() -> None:
    server = FakeServer()
    run(server, plan(A, logins={"a": Login("a", retire=("a.b",)), "c": Login("c.b", retire=("c",))}))
    assert server.atomic == [["SET selfhost.langgraph:acl-unsaved", "ACL DELUSER", "ACL SETUSER", "ACL LIST"]]
    assert ("ACL", "DELUSER", "a.b", "c") in server.done


def test_a_user_that_gets_another_password_loses_its_sessions_in_the_same_step() -> None:
    server = FakeServer()
    run(server, Plan(dbs={"a": 1}, fresh={}, users=[(A, ["password"])]))
    (commands,) = [server.done[: len(server.atomic[0])]]
    assert commands[1:3] == [("ACL", "DELUSER", "a"), SET_A]


def test_a_deleted_user_comes_back_if_this_run_yields() -> None:
    before = replace(STATE, rules=["user a.b on ~a:* +get"])
    server = FakeServer(ACL_LIST=["user other on resetchannels &a:* +@all"])
    with pytest.raises(Refused):
        run(server, plan(A, logins={"a": Login("a", retire=("a.b",))}), before, [entry()])
    assert ("ACL", "SETUSER", "a.b", "reset", "on", "~a:*", "+get") in server.done


def test_rights_are_needed_to_delete_a_user() -> None:
    with pytest.raises(ClaimError, match="does not permit managing users"):
        require_user_rights(plan(logins={"a": Login("a", retire=("a.b",))}), replace(STATE, no_users="NOPERM"))
