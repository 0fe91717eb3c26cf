# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The statements that a plan of Postgres becomes, and their order."""

from __future__ import annotations

import contextlib
import re
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import apply as _apply
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.apply import apply_plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import Logins
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.plan import FORBIDDEN, Need, Plan
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._claims.postgres.objects import (
    entry,
    need_for,
)

COMMENT = '\'{"selfhost.langgraph": {"deployment": "a"}}\''


class FakePostgres:
    """A session that writes down what it executes."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def execute(self, statement: t.Any, values: t.Any = None) -> None:
        text = statement if isinstance(statement, str) else statement.as_string(None)
        text = " ".join(re.sub(r"'SCRAM-SHA-256\$[^']*'", "VERIFIER", text).split())
        self.done.append(text if values is None else f"{text.partition(' FROM ')[0]} {values}")


def done(*needs: Need, close: t.Sequence[str] = (), as_superuser: bool = True) -> list[str]:
    """Return the statements of a plan."""
    connection = FakePostgres()

    def enter(database: str) -> t.Any:
        connection.done.append(f"enter {database}")
        return contextlib.nullcontext(database)

    apply_plan(t.cast("t.Any", connection), enter, Plan(list(needs), list(close)), as_superuser)
    return connection.done


def need(name: str = "a", logins: Logins | None = None, **fields: t.Any) -> Need:
    return need_for(entry(name), logins or Logins(name), **fields)


@pytest.fixture(autouse=True)
def _extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    def create(_inside: str, name: str, target: str, wanted: dict[str, str]) -> dict[str, str]:
        return {extension: f"{version}.{name}.{target}" for extension, version in wanted.items()}

    monkeypatch.setattr(_apply, "create_extensions", create)


def test_nothing_to_do_sends_nothing() -> None:
    assert done(need()) == []
    assert done() == []


def test_a_new_deployment() -> None:
    """The role is never without its comment, and the database is closed until only its role may connect."""
    new = need(create_role=True, create_database=True, claim_comment={"deployment": "a"}, claim_comment_reason="new")
    assert done(new) == [
        f'CREATE ROLE "a" WITH LOGIN CONNECTION LIMIT -1 PASSWORD VERIFIER; COMMENT ON ROLE "a" IS {COMMENT}',
        'CREATE DATABASE "a" OWNER "a" TEMPLATE template0 ENCODING \'UTF8\' ALLOW_CONNECTIONS false',
        'REVOKE ALL ON DATABASE "a" FROM PUBLIC; ALTER DATABASE "a" ALLOW_CONNECTIONS true',
        f'COMMENT ON ROLE "a" IS {COMMENT}; COMMENT ON DATABASE "a" IS {COMMENT}',
    ]


def test_without_superuser_rights_we_join_the_role() -> None:
    new = need(create_role=True, create_database=True, claim_comment={"deployment": "a"})
    assert 'GRANT "a" TO CURRENT_USER' in done(new, as_superuser=False)[0]
    assert 'GRANT "a" TO CURRENT_USER' in done(need(create_database=True), as_superuser=False)[0]
    assert "GRANT" not in " ".join(done(need(change_role=["login"]), as_superuser=False))
    second = need(create_logins=["a.b"])
    assert 'GRANT "a.b" TO CURRENT_USER' in done(second, as_superuser=False)[0]
    assert "CURRENT_USER" not in done(second)[0]


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        (["login"], 'ALTER ROLE "a" WITH LOGIN'),
        (["password"], 'ALTER ROLE "a" WITH LOGIN PASSWORD VERIFIER'),
        (["connection_limit"], 'ALTER ROLE "a" WITH CONNECTION LIMIT -1'),
        (["expires"], "ALTER ROLE \"a\" WITH VALID UNTIL 'infinity'"),
        *(([right], f'ALTER ROLE "a" WITH NO{right.upper()}') for right in FORBIDDEN if right != "expires"),
        (
            ["superuser", "login", "connection_limit", "password"],
            'ALTER ROLE "a" WITH LOGIN NOSUPERUSER CONNECTION LIMIT -1 PASSWORD VERIFIER',
        ),
        (
            ["settings"],
            'ALTER ROLE "a" IN DATABASE "a" RESET "role"; ALTER ROLE "a" IN DATABASE "a" RESET "search_path"',
        ),
        (
            ["createdb", "settings"],
            'ALTER ROLE "a" WITH NOCREATEDB; ALTER ROLE "a" IN DATABASE "a" RESET "role";'
            ' ALTER ROLE "a" IN DATABASE "a" RESET "search_path"',
        ),
    ],
)
def test_changes_of_a_role(what: list[str], statement: str) -> None:
    assert done(need(change_role=what)) == [statement]


def test_a_limit_of_connections() -> None:
    limited = need_for(entry(connection_limit=96), Logins("a"), change_role=["connection_limit"])
    assert done(limited) == ['ALTER ROLE "a" WITH CONNECTION LIMIT 96']
    plain = need_for({"name": "a", "password": "p"}, Logins("a"), change_role=["connection_limit"])
    assert done(plain) == ['ALTER ROLE "a" WITH CONNECTION LIMIT -1']


def test_a_new_second_login_acts_as_the_owner() -> None:
    (statement,) = done(need(create_logins=["a.b"]))
    assert statement == (
        'CREATE ROLE "a.b" WITH LOGIN CONNECTION LIMIT -1 PASSWORD VERIFIER;'
        ' COMMENT ON ROLE "a.b" IS \'{"selfhost.langgraph": {"deployment": "a", "login_of": "a"}}\';'
        ' GRANT "a" TO "a.b"; ALTER ROLE "a.b" SET role = \'a\''
    )


@pytest.mark.parametrize(
    ("what", "statement"),
    [
        (["membership"], 'GRANT "a" TO "a.b"'),
        (["acting"], "ALTER ROLE \"a.b\" SET role = 'a'"),
        (["login", "membership"], 'ALTER ROLE "a.b" WITH LOGIN; GRANT "a" TO "a.b"'),
        (
            ["settings"],
            'ALTER ROLE "a.b" IN DATABASE "a" RESET "role"; ALTER ROLE "a.b" IN DATABASE "a" RESET "search_path"',
        ),
    ],
)
def test_changes_of_a_second_login(what: list[str], statement: str) -> None:
    assert done(need(change_logins={"a.b": what})) == [statement]


END = "SELECT pg_catalog.pg_terminate_backend(a.pid) [['a']]"


@pytest.mark.parametrize(
    ("what", "statements"),
    [
        (["owner"], ['ALTER DATABASE "a" OWNER TO "a"']),
        (["public"], ['REVOKE ALL ON DATABASE "a" FROM PUBLIC', END]),
        (["grants"], ['REVOKE ALL ON DATABASE "a" FROM "x", "y" CASCADE', END]),
        (["template"], ['ALTER DATABASE "a" IS_TEMPLATE false']),
        (["allow_connections"], ['ALTER DATABASE "a" ALLOW_CONNECTIONS true']),
        (
            ["owner", "public", "allow_connections"],
            [
                'ALTER DATABASE "a" OWNER TO "a"; REVOKE ALL ON DATABASE "a" FROM PUBLIC; ALTER DATABASE "a"'
                " ALLOW_CONNECTIONS true",
                END,
            ],
        ),
    ],
)
def test_changes_of_a_database(what: list[str], statements: list[str]) -> None:
    """Sessions that lose their right to connect are ended, as the right is checked at login only."""
    revoke = ("x", "y") if "grants" in what else ()
    assert done(need(change_database=what, revoke=revoke)) == statements


def test_extensions_are_created_inside_and_recorded_with_their_versions() -> None:
    remembered = {"deployment": "a", "extensions": {"ltree": "1.1", "vector": "0.8"}}
    statements = done(need(extensions=["vector"], claim_comment=remembered))
    assert statements[0] == "enter a"
    assert statements[1].startswith('COMMENT ON ROLE "a" IS ')
    assert '"extensions": {"ltree": "1.1", "vector": "0.8.a.a"}' in statements[1]
    assert len(statements) == 2


def test_the_first_comment_of_a_role_has_no_extensions_that_do_not_exist_yet() -> None:
    remembered = {"deployment": "a", "extensions": {"vector": "0.8"}}
    statements = done(need(create_role=True, create_database=True, extensions=["vector"], claim_comment=remembered))
    assert f'COMMENT ON ROLE "a" IS {COMMENT}' in statements[0]
    assert [text.split()[0] for text in statements] == ["CREATE", "CREATE", "REVOKE", "enter", "COMMENT"]


def test_databases_of_others_are_closed() -> None:
    assert done(close=["postgres", "template1"]) == [
        'REVOKE ALL ON DATABASE "postgres" FROM PUBLIC; REVOKE ALL ON DATABASE "template1" FROM PUBLIC'
    ]


def test_closed_logins_lose_their_sessions_before_and_after() -> None:
    end = "SELECT pg_catalog.pg_terminate_backend(pid) [['a.b', 'c']]"
    assert done(need(logins=Logins("a", retire=("a.b",))), need("d", Logins("d", retire=("c",)))) == [
        end,
        'ALTER ROLE "a.b" WITH NOLOGIN PASSWORD NULL; ALTER ROLE "c" WITH NOLOGIN PASSWORD NULL',
        end,
    ]


def test_several_deployments_are_changed_together() -> None:
    statements = done(
        need(create_role=True, create_database=True, claim_comment={"deployment": "a"}),
        need("b"),
        need("c", change_role=["login"]),
    )
    assert statements[0].endswith('; ALTER ROLE "c" WITH LOGIN')
    assert not [text for text in statements if '"b"' in text]
    assert len([text for text in statements if text.startswith("CREATE DATABASE")]) == 1
