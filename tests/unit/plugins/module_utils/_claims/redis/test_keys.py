# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import keys as _keys
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import matcher


class FakeServer:
    """Databases with keys, of which each step of SCAN returns three."""

    def __init__(self, dbs: t.Mapping[int, t.Collection[str]], refuse: str = "") -> None:
        self.dbs = {db: set(keys) for db, keys in dbs.items()}
        self.order = {db: sorted(keys) for db, keys in dbs.items()}
        self.refuse, self.db = refuse, 0
        self.longest = 0

    def pipeline(self, commands: t.Sequence[t.Sequence[t.Any]]) -> list[t.Any]:
        self.longest = max(self.longest, len(commands))
        replies = [self._one(*command) for command in commands]
        assert self.db == 0, "the connection is back where the record is"
        return replies

    def _one(self, name: str, *words: t.Any) -> t.Any:
        if name == self.refuse:
            return PermissionError(name)
        if name == "SELECT":
            self.db = words[0]
        elif name == "UNLINK":
            self.dbs[self.db] -= set(words)
        elif name == "SCAN":
            begin = int(words[0])
            order = self.order.get(self.db, [])
            keys = [key for key in order[begin : begin + 3] if key in self.dbs[self.db]]
            return (begin + 3 if begin + 3 < len(order) else 0), keys
        return "OK"


KEYS = st.sets(st.text("ab:", min_size=1, max_size=4), max_size=12)


@given(st.dictionaries(st.integers(1, 5), KEYS), st.lists(st.sampled_from(["a:*", "b*", "?", "[ab]:"]), max_size=2))
def test_only_what_matches_is_own_and_goes(dbs: dict[int, set[str]], patterns: list[str]) -> None:
    server, own = FakeServer(dbs), matcher(patterns)
    wanted = dict.fromkeys(dbs, patterns)
    found = _keys.classify(t.cast("t.Any", server), wanted)
    assert server.dbs == dbs, "classifying changes nothing"
    for db, keys in dbs.items():
        strange = {key for key in keys if not own(key)}
        assert (found[db].own, found[db].strange) == (len(keys) - len(strange), len(strange))
        assert (found[db].example in strange) if strange else found[db].example == ""
    _keys.delete(t.cast("t.Any", server), wanted)
    assert server.dbs == {db: {key for key in keys if not own(key)} for db, keys in dbs.items()}


def test_many_databases_are_read_in_parts() -> None:
    server = FakeServer({db: {f"{key}" for key in range(10)} for db in range(1, 200)})
    found = _keys.classify(t.cast("t.Any", server), {db: ["*"] for db in server.dbs})
    assert sum(content.own for content in found.values()) == 1990
    assert server.longest <= 2 * _keys.PARALLEL + 1


@pytest.mark.parametrize("refuse", ["SCAN", "SELECT", "UNLINK"])
def test_a_server_that_does_not_let_us_look_is_an_error(refuse: str) -> None:
    server = t.cast("t.Any", FakeServer({1: {"a"}}, refuse))
    with pytest.raises(ClaimError, match="reading the keys of a database"):
        _keys.delete(server, {1: ["*"]})


def test_the_refusal_shows_one_of_them() -> None:
    assert _keys.Content(own=3).problem("a", "state", 1) is None
    problem = _keys.Content(1, 2, "x:y").problem("a", "state", 1)
    assert problem is not None
    assert "database 1 has 2 keys that do not match its patterns, such as 'x:y'" in problem.finding
