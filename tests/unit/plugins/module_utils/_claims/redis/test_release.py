# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The release of claims: what is planned and refused, and the order of what is done."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import CommandSets, User
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.release import (
    Release,
    apply_release,
    connected,
    count,
    plan_release,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState

SETS = CommandSets({"slow": frozenset({"get", "move", "select"}), "admin": frozenset({"acl|setuser"})})
PARAMS = {"known_claims": None, "address": None, "owner": "us", "previous_owners": None, "take_over": False}


def user(name: str, db: int | None = 1) -> dict[str, t.Any]:
    template = User(name, db, frozenset(), frozenset({f"{name}:*"}), frozenset())
    return {"flags": ["on"], "passwords": [], "commands": " ".join(template.commands()), "keys": f"~{name}:*"}


THEIRS = {"flags": ["on"], "passwords": [], "commands": "+@all", "keys": "~*"}


def state(
    cluster: bool = False, acl_file: str | None = "/etc/users.acl", **users: dict[str, t.Any] | None
) -> ServerState:
    return ServerState("8.0", cluster, 16, acl_file, False, False, False, "admin", SETS, users, rules=[])


class FakeRedis:
    """A server with databases of keys, clients and a record; it writes down what changes it."""

    def __init__(
        self,
        dbs: t.Mapping[int, t.Iterable[str]] | None = None,
        clients: t.Sequence[t.Sequence[str]] = ((),),
        record: t.Mapping[str, int] | None = None,
        problems: t.Sequence[dict[str, t.Any]] = (),
    ) -> None:
        self.dbs = {db: set(keys) for db, keys in (dbs or {}).items()}
        self.record, self.problems = dict(record or {}), list(problems)
        # What CLIENT LIST shows, from call to call; the last one stays.
        self._clients = [list(lines) for lines in clients]
        self.done: list[tuple[t.Any, ...]] = []
        self.asked: list[dict[str, t.Any]] = []
        self.db = 0
        self.others: dict[str, FakeRedis] = {}

    def at(self, host: str, _port: int) -> FakeRedis:
        return self.others[host]

    def script(self, _script: str, key: str, question: dict[str, t.Any]) -> dict[str, t.Any]:
        assert key == "selfhost.langgraph:claims"
        self.asked.append(question)
        if not question["dry"]:
            self.done.append(("free", *question["wanted"]))
        found = [{"name": name, "db": str(self.record[name])} for name in question["wanted"] if name in self.record]
        # Lua's empty table is neither a list nor a mapping.
        return {"found": found or None, "problems": self.problems, "databases": 16}

    def call(self, *words: t.Any) -> t.Any:
        if words[:2] == ("CLUSTER", "NODES"):
            return "id1 10.0.0.1:6379@1 myself,master\nid2 10.0.0.2:6379@1 master\nid3 10.0.0.3:6379@1 slave"
        if words[:2] == ("CLIENT", "LIST"):
            lines = self._clients.pop(0) if len(self._clients) > 1 else self._clients[0]
            return "\n".join(lines)
        return self._one(words)

    def pipeline(self, commands: t.Sequence[t.Sequence[t.Any]], atomic: bool = False) -> list[t.Any]:
        return [self._one(tuple(command)) for command in commands]

    def _one(self, words: tuple[t.Any, ...]) -> t.Any:
        if words[0] == "SELECT":
            self.db = words[1]
        elif words[0] == "SCAN":
            pattern = words[words.index("MATCH") + 1] if "MATCH" in words else "*"
            keys = sorted(self.dbs.get(self.db, ()))
            return "0", [key for key in keys if pattern == "*" or key.startswith(pattern.rstrip("*"))]
        elif words[0] == "UNLINK":
            self.done.append(("unlink", self.db, *words[1:]))
            self.dbs[self.db] -= set(words[1:])
        elif words[0] == "ACL" and words[1] in ("SETUSER", "DELUSER", "SAVE"):
            self.done.append(words)
        return [] if words[:2] == ("ACL", "LIST") else "OK"


def line(user_name: str, db: int = 0) -> str:
    return f"id=7 addr=10.0.0.1:5 user={user_name} db={db}"


def release(name: str = "a", **changes: t.Any) -> Release:
    usual: dict[str, t.Any] = {
        "confirmed": True,
        "db": 1,
        "keys": 2,
        "clients": 0,
        "users": ("a",),
        "patterns": (f"{name}:*",),
    }
    return Release(name, **{**usual, **changes})


@pytest.mark.parametrize(
    ("changes", "needed", "actions"),
    [
        ({}, True, ["delete_user", "release"]),
        ({"users": ()}, True, ["release"]),
        ({"db": None}, True, ["delete_user"]),
        # The only database of a cluster has the number 0.
        ({"db": 0, "users": ()}, True, ["release"]),
        ({"db": None, "users": ()}, False, []),
        ({"confirmed": False}, True, []),
    ],
)
def test_actions(changes: dict[str, t.Any], needed: bool, actions: list[str]) -> None:
    one = release(**changes)
    assert one.needed == needed
    assert [action["action"] for action in one.actions()] == actions
    assert one.result()["changed"] == bool(actions)


def test_actions_in_full() -> None:
    assert release().actions() == [
        {"action": "delete_user", "name": "a", "user": "a"},
        {"action": "release", "name": "a", "redis_db": 1, "keys": 2},
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"redis_db": None, "user": None, "changed": True, "lost": {"keys": 2}}),
        ({"confirmed": False}, {"redis_db": 1, "user": "a", "changed": False, "would_lose": {"keys": 2}}),
        (
            {"confirmed": False, "users": ()},
            {"redis_db": 1, "user": None, "changed": False, "would_lose": {"keys": 2}},
        ),
        (
            {"confirmed": False, "db": None, "users": (), "keys": 0},
            {"redis_db": None, "user": None, "changed": False, "would_lose": {"keys": 0}},
        ),
    ],
)
def test_result(changes: dict[str, t.Any], expected: dict[str, t.Any]) -> None:
    assert release(clients=3, strange_keys=4, **changes).result() == {**expected, "clients": 3, "strange_keys": 4}


def test_a_warning_says_what_was_kept_and_how_to_release_it() -> None:
    assert release(confirmed=False, clients=3).warning() == (
        "deployment 'a': nothing was released. Its Redis database 1 has 2 keys, and 3 clients are connected; set"
        " 'confirm: a' to delete the keys, its user and its claim."
    )
    assert release().warning() is None
    assert release(confirmed=False, db=None, users=()).warning() is None


def test_a_plan_reads_what_exists() -> None:
    server = FakeRedis({1: {"a:1", "a:2"}, 2: {"b:1", "other"}}, [[line("a"), line("x", 2)]], {"a": 1, "b": 2})
    entries = [
        {"name": "a", "state": "absent", "confirm": None},
        {"name": "b", "state": "absent"},
        {"name": "c", "state": "absent", "confirm": "c"},
    ]
    users = {"a": user("a"), "b.b": user("b", 2), "c": None}
    found = plan_release(t.cast("t.Any", server), entries, state(**users), PARAMS)
    assert found == [
        Release("a", False, 1, 2, 1, ("a",), ("a:*",), 0),
        Release("b", False, 2, 1, 1, ("b.b",), ("b:*",), 1),
        Release("c", True, None, 0, 0, (), ("c:*",), 0),
    ]
    assert server.done == []
    assert server.asked[0]["wanted"] == ["a", "b", "c"]
    assert server.asked[0]["owner"] == "us"


def test_nothing_to_release_asks_nothing() -> None:
    server = FakeRedis()
    assert plan_release(t.cast("t.Any", server), [], state(), PARAMS) == []
    assert server.asked == []


@pytest.mark.parametrize(
    ("server", "users", "finding"),
    [
        (
            FakeRedis({1: []}, [[line("a")]], {"a": 1}),
            {"a": user("a")},
            "1 clients are connected to its Redis database 1",
        ),
        (FakeRedis({1: []}, [[line("x", 1)]], {"a": 1}), {"a": user("a")}, "1 clients are connected"),
        (FakeRedis({1: ["strange"]}, record={"a": 1}), {"a": user("a")}, "strange"),
        (
            FakeRedis({1: []}, record={"a": 1}),
            {"a": THEIRS},
            "rules that this collection did not write, and would remain",
        ),
        (
            FakeRedis(record={"a": 1}, problems=[{"name": "a", "code": "owner", "db": 1, "other": "them"}]),
            {"a": user("a")},
            "belongs to another inventory",
        ),
    ],
)
def test_what_must_not_be_released(server: FakeRedis, users: dict[str, t.Any], finding: str) -> None:
    entries = [{"name": "a", "state": "absent", "confirm": "a"}]
    with pytest.raises(Refused, match=finding) as caught:
        plan_release(t.cast("t.Any", server), entries, state(**users), PARAMS)
    (problem,) = caught.value.problems
    assert problem.option == ("name" if "inventory" in finding else "state")
    assert server.done == []


def test_a_confirmation_is_the_name() -> None:
    with pytest.raises(Refused, match="'b' is not the deployment's name"):
        plan_release(t.cast("t.Any", FakeRedis()), [{"name": "a", "confirm": "b"}], state(), PARAMS)


def test_clients_count_by_user_or_by_database() -> None:
    clients = [{"user": "a", "db": "5"}, {"user": "b", "db": "1"}, {"user": "a.b", "db": "1"}, {"user": "c", "db": "0"}]
    assert count(clients, ("a", "a.b"), 1) == 3
    assert count(clients, ("a", "a.b"), None) == 2
    # Every connection starts in database 0.
    assert count(clients, ("a", "a.b"), 0) == 2
    assert count([], ("a",), 1) == 0


def test_lines_of_clients() -> None:
    server = FakeRedis(clients=[["id=7 addr=[::1]:5 user=a db=1 cmd=get", "id=8 name= user=b db=0"]])
    assert connected(t.cast("t.Any", server)) == [
        {"id": "7", "addr": "[::1]:5", "user": "a", "db": "1", "cmd": "get"},
        {"id": "8", "name": "", "user": "b", "db": "0"},
    ]


def test_a_server_that_hides_its_clients_releases_nothing() -> None:
    class Silent(FakeRedis):
        def call(self, *words: t.Any) -> t.Any:
            return PermissionError("NOPERM")

    with pytest.raises(ClaimError, match="does not list its clients .NOPERM., so nothing can be released safely"):
        connected(t.cast("t.Any", Silent()))


def test_users_are_locked_out_before_keys_go_and_the_claim_goes_last() -> None:
    server = FakeRedis({1: {"a:1"}, 2: {"b:1"}}, record={"a": 1, "b": 2})
    going = [release(), release("b", db=2, users=()), release("c", confirmed=False)]
    assert apply_release(t.cast("t.Any", server), going, state(a=user("a")), PARAMS) is True
    assert server.done == [
        ("ACL", "SETUSER", "a", "off"),
        ("unlink", 1, "a:1"),
        ("unlink", 2, "b:1"),
        ("ACL", "DELUSER", "a"),
        ("ACL", "SAVE"),
        ("free", "a", "b"),
    ]


def test_without_an_aclfile_nothing_is_saved() -> None:
    server = FakeRedis({1: set()}, record={"a": 1})
    assert apply_release(t.cast("t.Any", server), [release()], state(acl_file="", a=user("a")), PARAMS)
    assert ("ACL", "SAVE") not in server.done
    assert ("ACL", "DELUSER", "a") in server.done


def test_nothing_confirmed_changes_nothing() -> None:
    server = FakeRedis({1: {"a:1"}}, record={"a": 1})
    assert apply_release(t.cast("t.Any", server), [release(confirmed=False)], state(), PARAMS) is False
    assert (server.done, server.asked) == ([], [])


def test_a_client_that_came_meanwhile_keeps_everything() -> None:
    server = FakeRedis({1: {"a:1"}}, [[line("a", 1)]], {"a": 1})
    with pytest.raises(Refused, match="stop them, then run this again"):
        apply_release(t.cast("t.Any", server), [release()], state(a=user("a")), PARAMS)
    assert server.done == [("ACL", "SETUSER", "a", "off"), ("ACL", "SETUSER", "a", "on")]
    assert server.dbs == {1: {"a:1"}}


def test_a_cluster_is_changed_on_all_its_nodes() -> None:
    """Clients of every node count, and users are removed on every node."""
    one, other = FakeRedis({0: set()}, record={"a": 0}), FakeRedis(clients=[[line("a")]])
    gone = release(db=0)
    with pytest.raises(Refused):
        apply_release(
            t.cast("t.Any", one), [gone], replace(state(a=user("a")), databases=1), PARAMS, [t.cast("t.Any", other)]
        )
    assert gone.clients == 1
    assert other.done == [("ACL", "SETUSER", "a", "off"), ("ACL", "SETUSER", "a", "on")]
    quiet = FakeRedis()
    assert apply_release(
        t.cast("t.Any", one),
        [release(db=0)],
        replace(state(a=user("a")), databases=1),
        PARAMS,
        [t.cast("t.Any", quiet)],
    )
    assert ("ACL", "DELUSER", "a") in quiet.done


RULES = ["user a on ~a:* +@all +select|1", "user b on ~b:* +@all +select|2"]


def test_keys_that_a_user_has_left_in_database_zero() -> None:
    """Every connection starts there, so servers may have written some before they selected their own."""
    zero = {"a:early", "b:early", "selfhost.langgraph:claims"}
    server = FakeRedis({0: zero, 1: {"a:1"}}, record={"a": 1})
    entries = [{"name": "a", "state": "absent", "confirm": "a"}]
    before = replace(state(a=user("a")), rules=RULES)
    (found,) = plan_release(t.cast("t.Any", server), entries, before, PARAMS)
    assert (found.keys, server.done) == (2, [])
    apply_release(t.cast("t.Any", server), [found], before, PARAMS)
    assert server.dbs == {0: zero - {"a:early"}, 1: set()}
    # Without a user of ours nothing there is known to be its own.
    stranger = FakeRedis({0: zero, 1: {"a:1"}}, record={"a": 1})
    apply_release(t.cast("t.Any", stranger), [release(users=())], before, PARAMS)
    assert stranger.dbs == {0: zero, 1: set()}
    assert stranger.done == [("unlink", 1, "a:1"), ("free", "a")]


def test_keys_of_a_shared_database_go_by_their_patterns() -> None:
    server = FakeRedis({0: {"a:1", "b:1"}}, record={"a": 0})
    entries = [{"name": "a", "state": "absent", "confirm": "a"}]
    before = replace(state(a=user("a", None)), databases=1)
    (found,) = plan_release(t.cast("t.Any", server), entries, before, PARAMS)
    assert (found.db, found.keys, found.strange_keys) == (0, 1, 0)
    apply_release(t.cast("t.Any", server), [found], before, PARAMS)
    assert server.dbs == {0: {"b:1"}}


@pytest.mark.parametrize(
    ("confirm", "db", "found", "refused"),
    [
        ("a", 1, THEIRS, True),
        # Nothing is removed, there is no claim, the user is ours, or there is none.
        (None, 1, THEIRS, False),
        ("a", None, THEIRS, False),
        ("a", 1, user("a"), False),
        ("a", 1, None, False),
    ],
)
def test_a_user_that_would_remain(
    confirm: str | None, db: int | None, found: dict[str, t.Any] | None, refused: bool
) -> None:
    """Somebody could get its number later."""
    server = FakeRedis(record={"a": db} if db else {})
    entries = [{"name": "a", "state": "absent", "confirm": confirm}]
    if refused:
        with pytest.raises(Refused, match="claim it again, or remove the user with ACL DELUSER a, then release it"):
            plan_release(t.cast("t.Any", server), entries, state(a=found), PARAMS)
    else:
        (planned,) = plan_release(t.cast("t.Any", server), entries, state(a=found), PARAMS)
        assert planned.users == (("a",) if found is not None and found != THEIRS else ())


def test_keys_and_clients_on_all_masters_of_a_cluster() -> None:
    server = FakeRedis({0: {"a:1"}}, [[line("a")]], {"a": 0})
    server.others = {"10.0.0.2": FakeRedis({0: {"a:2", "b:2"}}, [[line("a"), line("b")]])}
    before = replace(state(cluster=True, a=user("a", None)), databases=1)
    (found,) = plan_release(t.cast("t.Any", server), [{"name": "a", "state": "absent"}], before, PARAMS)
    assert (found.keys, found.clients) == (2, 2)
    assert found.warning()


def test_a_server_that_does_not_lock_out_a_user() -> None:
    class Refusing(FakeRedis):
        def _one(self, words: tuple[t.Any, ...]) -> t.Any:
            return RuntimeError("NOPERM") if words[:2] == ("ACL", "SETUSER") else super()._one(words)

    server = Refusing({1: {"a:1"}}, record={"a": 1})
    with pytest.raises(
        ClaimError,
        match="could not switch a user off .NOPERM., so nothing was released; correct this, then run it again",
    ):
        apply_release(t.cast("t.Any", server), [release()], state(a=user("a")), PARAMS)
    assert server.dbs == {1: {"a:1"}}


def test_keys_in_database_zero_of_a_deployment_without_a_claim_are_not_its_own() -> None:
    server = FakeRedis({0: {"c:1"}})
    (found,) = plan_release(t.cast("t.Any", server), [{"name": "c", "state": "absent"}], state(c=None), PARAMS)
    assert (found.db, found.keys, found.needed) == (None, 0, False)


def test_both_users_go() -> None:
    """A revision that drains when its deployment is removed used the other one."""
    server = FakeRedis({0: {"a:2"}, 1: {"a:1"}}, record={"a": 1})
    entries = [{"name": "a", "state": "absent", "confirm": "a"}]
    before = replace(state(**{"a": user("a"), "a.b": user("a")}), rules=[*RULES, "user a.b on ~a:* +@all +select|1"])
    (found,) = plan_release(t.cast("t.Any", server), entries, before, PARAMS)
    assert (found.users, found.keys) == (("a", "a.b"), 2)
    apply_release(t.cast("t.Any", server), [found], before, PARAMS)
    assert [words for words in server.done if words[0] == "ACL"] == [
        ("ACL", "SETUSER", "a", "off"),
        ("ACL", "SETUSER", "a.b", "off"),
        ("ACL", "DELUSER", "a", "a.b"),
        ("ACL", "SAVE"),
    ]
    assert server.dbs == {0: set(), 1: set()}


def test_a_second_user_of_somebody_else_stays() -> None:
    entries = [{"name": "a", "state": "absent", "confirm": "a"}]
    users = {"a": user("a"), "a.b": THEIRS}
    (planned,) = plan_release(t.cast("t.Any", FakeRedis(record={"a": 1})), entries, state(**users), PARAMS)
    assert planned.users == ("a",)


def test_an_altered_second_user_of_ours_would_remain() -> None:
    entries = [{"name": "a", "state": "absent", "confirm": "a"}]
    altered = {**THEIRS, "commands": "-@all +get +select|1"}
    with pytest.raises(Refused, match="ACL DELUSER a.b"):
        plan_release(
            t.cast("t.Any", FakeRedis(record={"a": 1})), entries, state(**{"a": user("a"), "a.b": altered}), PARAMS
        )


def test_clients_of_a_second_user_of_somebody_else_do_not_count() -> None:
    server = FakeRedis({1: []}, [[line("a.b")]], {"a": 1})
    (planned,) = plan_release(
        t.cast("t.Any", server),
        [{"name": "a", "state": "absent", "confirm": "a"}],
        state(**{"a": user("a"), "a.b": THEIRS}),
        PARAMS,
    )
    assert planned.clients == 0
