# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A claim, and the check of keys before a number is restored."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import module
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.acl import CommandSets
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.keys import Content
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import ServerState

STATE = ServerState("8.0", False, 16, "/x", False, False, False, "admin", CommandSets({}), {}, rules=[])
PARAMS = {"known_claims": None, "address": None, "owner": "us", "previous_owners": None, "take_over": False}
ENTRIES: list[t.Any] = [{"name": "a", "password": "p"}, {"name": "b", "password": "p"}]
DONE = {"problems": None, "databases": 16, "to_check": None, "dbs": {"a": 1, "b": 2}}


class FakeServer:
    """A server that answers the script from a list."""

    def __init__(self, *answers: dict[str, t.Any]) -> None:
        self.answers, self.asked = list(answers), t.cast("list[dict[str, t.Any]]", [])

    def script(self, _script: str, key: str, question: dict[str, t.Any]) -> dict[str, t.Any]:
        assert key == "selfhost.langgraph:claims"
        self.asked.append(question)
        return self.answers.pop(0)


def claim(server: FakeServer, dry: bool = False) -> dict[str, t.Any]:
    return module.claim(t.cast("t.Any", server), ENTRIES, STATE, PARAMS, dry=dry, shared=False)


def test_a_claim_asks_once() -> None:
    server = FakeServer(DONE)
    assert claim(server, dry=True) == DONE
    (question,) = server.asked
    assert (question["dry"], question["shared"], question["owner"], question["checked"]) == (True, False, "us", [])
    assert [item["name"] for item in question["wanted"]] == ["a", "b"]
    # A server without a record gets this name.
    assert len(question["new_server"]) == 36


def test_problems_of_the_script_are_refused() -> None:
    with pytest.raises(Refused, match="none of the Redis databases 1 to 15 is free"):
        claim(FakeServer({**DONE, "problems": [{"name": "a", "code": "full"}]}))


TO_CHECK = {**DONE, "to_check": [{"name": "b", "db": "2"}]}


def test_keys_of_a_restored_number_are_checked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    classified: list[t.Any] = []

    def classify(_server: t.Any, patterns: dict[int, list[str]]) -> dict[int, Content]:
        classified.append(patterns)
        return {2: Content(own=5)}

    monkeypatch.setattr(module._keys, "classify", classify)
    server = FakeServer(TO_CHECK, DONE)
    assert claim(server) == DONE
    assert classified == [{2: ["b:*"]}]
    first, second = server.asked
    assert second == {**first, "checked": ["b"]}


def test_a_number_with_keys_of_others_is_not_restored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._keys, "classify", lambda _server, _patterns: {2: Content(5, 3, "x")})
    server = FakeServer(TO_CHECK, DONE)
    with pytest.raises(Refused, match="deployment 'b', option 'name': Redis database 2 has 3 keys that do not match"):
        claim(server)
    assert len(server.asked) == 1


def test_a_server_that_changes_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module._keys, "classify", lambda _server, _patterns: {2: Content()})
    with pytest.raises(ClaimError, match="Redis changed while its keys were read. Nothing was claimed: run again."):
        claim(FakeServer(TO_CHECK, TO_CHECK))
    with pytest.raises(Refused, match="is free"):
        claim(FakeServer(TO_CHECK, {**DONE, "problems": [{"name": "a", "code": "full"}]}))


@pytest.mark.parametrize(
    ("written", "fields", "reason", "synced"),
    [
        (True, (), "the reason", False),
        (False, (), None, False),
        # An interrupted run has changed how often the server writes to its disk.
        (False, (module.durable.SYNC_FIELD,), None, True),
        (True, (module.durable.SYNC_FIELD,), "the reason", False),
    ],
)
def test_a_claim_is_on_the_disk(
    monkeypatch: pytest.MonkeyPatch, written: bool, fields: tuple[str, ...], reason: str | None, synced: bool
) -> None:
    seen: list[t.Any] = []
    monkeypatch.setattr(
        module.durable, "make_durable", lambda server, append_only: f"the {server}" if append_only else ""
    )
    monkeypatch.setattr(module.durable, "sync_now", seen.append)
    state = ServerState(
        "8.0",
        False,
        16,
        "",
        False,
        False,
        False,
        "admin",
        CommandSets({}),
        {},
        append_only=True,
        fields=frozenset(fields),
    )
    assert module._make_durable(t.cast("t.Any", "reason"), state, written) == reason
    assert bool(seen) == synced
