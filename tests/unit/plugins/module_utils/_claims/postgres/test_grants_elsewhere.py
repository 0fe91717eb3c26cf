# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rights of released roles in databases that stay."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.grants_elsewhere import (
    elsewhere_problems,
    revoke_elsewhere,
)


class FakePostgres:
    """A session that answers each question from a list, and writes down what it executes."""

    def __init__(self, *answers: list[tuple[t.Any, ...]]) -> None:
        self.answers, self.asked, self.done = list(answers), [], t.cast("list[str]", [])  # type: ignore[var-annotated]

    def execute(self, statement: t.Any, values: t.Any = None) -> FakePostgres:
        if isinstance(statement, str):
            self.asked.append(values)
        else:
            self.done.append(statement.as_string(None))
        return self

    def fetchall(self) -> list[tuple[t.Any, ...]]:
        return self.answers.pop(0)


def test_objects_inside_are_left_to_an_administrator() -> None:
    server = FakePostgres([("shop", "a"), ("shop", "a.b"), ("wiki", "a")], [])
    found = list(elsewhere_problems(t.cast("t.Any", server), ["a", "b-c"]))
    assert [str(problem) for problem in found] == [
        "deployment 'a', option 'state': its role owns objects or has rights in the database 'shop', so the role cannot be"
        ' dropped; ask an administrator to run in that database: DROP OWNED BY "a", "a.b"',
        "deployment 'a', option 'state': its role owns objects or has rights in the database 'wiki', so the role cannot be"
        ' dropped; ask an administrator to run in that database: DROP OWNED BY "a"',
    ]
    # What is dropped together with its database is no problem.
    assert server.asked == [
        {"roles": ["a", "a.b", "a.c"], "going": ["a", "b_c"]},
        {"roles": ["b_c", "b_c.b", "b_c.c"], "going": ["a", "b_c"]},
    ]


def test_rights_on_databases_are_revoked_as_whoever_granted_them() -> None:
    server = FakePostgres([("shop", False, "owner", "a"), ("wiki", True, "editor", "a.b")])
    revoke_elsewhere(t.cast("t.Any", server), ("a", "a.b"))
    assert server.asked == [[["a", "a.b"]]]
    assert server.done == [
        'REVOKE ALL ON DATABASE "shop" FROM "a" CASCADE; SET LOCAL ROLE "editor"; REVOKE ALL ON DATABASE "wiki" FROM "a.b"'
        " CASCADE; RESET ROLE"
    ]


def test_without_rights_nothing_is_sent() -> None:
    server = FakePostgres([])
    revoke_elsewhere(t.cast("t.Any", server), ["a"])
    assert server.done == []
