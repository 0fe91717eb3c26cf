# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Redis in cluster mode: one database for all, and several nodes."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import CommandSets
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.cluster import (
    other_nodes,
    overlap_problems,
    single_db,
    sweep,
    warnings_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState

STATE = ServerState("8.0", False, 16, "/x", False, False, False, "admin", CommandSets({}), {}, rules=[])


class FakeNode:
    """A node that answers each call from a list."""

    def __init__(self, *replies: t.Any) -> None:
        self.replies, self.calls = list(replies), t.cast("list[tuple[t.Any, ...]]", [])

    def call(self, *words: t.Any) -> t.Any:
        self.calls.append(words)
        return self.replies.pop(0)

    def pipeline(self, commands: t.Sequence[tuple[t.Any, ...]]) -> list[t.Any]:
        self.calls += commands
        return ["OK"] * len(commands)

    def at(self, host: str, port: int) -> tuple[str, int]:
        return host, port


def node(*replies: t.Any) -> t.Any:
    return FakeNode(*replies)


def test_a_server_with_databases_is_not_shared() -> None:
    assert single_db(node(), STATE, allowed=True) is False
    assert single_db(node(), STATE, allowed=False) is False


@pytest.mark.parametrize(
    ("cluster", "why"), [(True, "is in cluster mode and"), (False, "is configured with one database and")]
)
def test_one_database_for_all_must_be_allowed(cluster: bool, why: str) -> None:
    state = replace(STATE, databases=1, cluster=cluster)
    assert single_db(node(), state, allowed=True) is True
    with pytest.raises(ClaimError, match=f"this Redis {why} has database 0 only"):
        single_db(node(), state, allowed=False)


def test_a_server_that_hides_its_configuration_is_tried() -> None:
    hidden = replace(STATE, databases=None)
    assert single_db(node(RuntimeError("ERR DB index is out of range")), hidden, allowed=True) is True
    assert hidden.databases == 1
    hidden = replace(STATE, databases=None)
    assert single_db(node("OK"), hidden, allowed=False) is False
    assert hidden.databases is None


def overlaps(entries: list[dict[str, t.Any]], *users: str) -> list[tuple[str, str]]:
    found = overlap_problems(
        entries, users, {name for entry in entries for name in (entry["name"], f"{entry['name']}.b")}
    )
    return sorted((problem.deployment, problem.finding.split("'")[1]) for problem in found)


def entry(name: str, *patterns: str) -> dict[str, t.Any]:
    return {"name": name, "key_patterns": list(patterns) or None}


@pytest.mark.parametrize(
    ("entries", "users", "expected"),
    [
        ([entry("a"), entry("b")], [], []),
        ([entry("a", "x:*"), entry("b", "x:*")], [], [("b", "a")]),
        ([entry("a", "x:*"), entry("b", "x:y:*")], [], [("b", "a")]),
        ([entry("a", "x:*"), entry("b", "xy:*")], [], []),
        ([entry("a", "x:*", "x:y:*")], [], []),
        ([entry("a", "x:*"), entry("b", "x:b:*"), entry("c", "x:c:*")], [], [("b", "a"), ("c", "a")]),
        ([entry("a")], ["user other on ~a:* +@all"], [("a", "other")]),
        ([entry("a")], ["user other on ~a:b:* +@all"], [("a", "other")]),
        # Not a client, an administrator, a user with a database of its own, and the entry's own user.
        ([entry("a")], ["user other off ~a:* +@all"], []),
        ([entry("a")], ["user other on ~* +@all"], []),
        ([entry("a")], ["user other on allkeys +@all"], []),
        ([entry("a")], ["user other on ~a:* +@all +select|3"], []),
        ([entry("a")], ["user a on ~a:* +@all"], []),
        ([entry("a")], ["user a.b on ~a:* +@all"], []),
        # Others among themselves are not our concern.
        ([entry("a")], ["user x on ~z:* +@all", "user y on ~z:* +@all"], []),
    ],
)
def test_key_patterns_that_overlap(
    entries: list[dict[str, t.Any]], users: list[str], expected: list[tuple[str, str]]
) -> None:
    assert overlaps(entries, *users) == expected


def test_the_message_names_the_place() -> None:
    (problem,) = overlap_problems([entry("a", "x:*"), entry("b", "x:y:*")], [], ())
    assert str(problem) == (
        "deployment 'b', option 'key_patterns': its key pattern overlaps with that of 'a' in the shared database 0, at"
        " 'x:y:'; give each deployment a prefix of its own"
    )


NODES = """id1 10.0.0.1:6379@16379,host1 myself,master - 0 0 1 connected
id2 10.0.0.2:6379@16379 master - 0 0 1 connected
id3 [2001:db8::3]:6380@16380 slave id2 0 0 1 connected
id4 10.0.0.4:6379@16379 master,fail - 0 0 1 disconnected
id5 :0@0 master,noaddr - 0 0 1 disconnected
id6 10.0.0.6:6379@16379 handshake - 0 0 1 connected
id7 10.0.0.7:6379@16379 slave,fail? id2 0 0 1 connected"""


def test_other_nodes_are_those_that_respond() -> None:
    found = [("10.0.0.2", 6379), ("[2001:db8::3]", 6380), ("10.0.0.7", 6379)]
    assert other_nodes(node(NODES)) == found
    assert other_nodes(node(NODES), masters=True) == found[:1]
    with pytest.raises(ClaimError, match="CLUSTER NODES is not permitted .NOPERM."):
        other_nodes(node(RuntimeError("NOPERM")))


def test_warning_about_sharing() -> None:
    assert warnings_of(False) == []
    (text,) = warnings_of(True)
    assert "REDIS_KEY_PREFIX" in text


def test_a_sweep_counts_and_deletes_on_all_nodes() -> None:
    def nodes() -> list[t.Any]:
        return [node(("7", ["a:1", "a:2"]), (0, []), ("0", ["x:1"])), node(("0", []), ("0", ["x:2"]))]

    counted, deleted = nodes(), nodes()
    assert sweep(counted, ["a:*", "x:*"], delete=False) == 4
    assert sweep(deleted, ["a:*", "x:*"], delete=True) == 4
    assert not any(call[0] == "UNLINK" for one in counted for call in one.calls)
    assert [call for one in deleted for call in one.calls if call[0] == "UNLINK"] == [
        ("UNLINK", "a:1"),
        ("UNLINK", "a:2"),
        ("UNLINK", "x:1"),
        ("UNLINK", "x:2"),
    ]
    assert deleted[0].calls[0] == ("SCAN", "0", "MATCH", "a:*", "COUNT", 1000)
    assert ("SCAN", "7", "MATCH", "a:*", "COUNT", 1000) in deleted[0].calls
