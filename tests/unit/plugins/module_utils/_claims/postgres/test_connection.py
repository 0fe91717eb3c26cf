# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Start-up options: ours override those of the login."""

from __future__ import annotations

import typing as t

import pytest
from psycopg import conninfo

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import (
    POSTGRES_ARGS,
    connection_string,
    startup_options,
)

DEFAULTS = {name: spec.get("default") for name, spec in POSTGRES_ARGS.items()}
URI = "postgresql://admin:p@pg.example.com/postgres"
PINNED = "-c search_path=pg_catalog,\\ pg_temp"


@pytest.mark.parametrize(
    ("params", "options"),
    [
        ({}, PINNED),
        ({"login_uri": URI}, PINNED),
        ({"login_uri": f"{URI}?sslmode=require"}, PINNED),
        (
            {"login_uri": f"{URI}?options=-c%20search_path%3Dpublic%20-c%20role%3Ddba"},
            f"-c search_path=public -c role=dba {PINNED}",
        ),
    ],
)
def test_ours_come_last(params: dict[str, t.Any], options: str) -> None:
    text = connection_string({**DEFAULTS, **params})
    assert conninfo.conninfo_to_dict(text)["options"] == options


def test_nobody_sets_them_by_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c search_path=public")
    assert conninfo.conninfo_to_dict(connection_string(DEFAULTS))["options"] == PINNED


def test_values_keep_their_spaces_and_backslashes() -> None:
    assert startup_options({"role": "an admin\\x"}) == f"{PINNED} -c role=an\\ admin\\\\x"


def test_another_database_and_user() -> None:
    content = conninfo.conninfo_to_dict(
        connection_string({**DEFAULTS, "login_uri": URI}, "bot", user="bot", password="x")
    )
    assert (content["dbname"], content["user"], content["password"]) == ("bot", "bot", "x")
