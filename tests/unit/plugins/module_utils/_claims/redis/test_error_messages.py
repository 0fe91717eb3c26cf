# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Codes of the scripts in words: each names the deployment, the option, the finding and the remedy."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.error_messages import script_problems

# What the script returns -> the option, the finding, and a part of the remedy.
MESSAGES: dict[str, tuple[dict[str, t.Any], str, str, str]] = {
    "disagree": (
        {"db": 3, "other": 4},
        "name",
        "Redis records database 3 for it, but its Postgres database records 4",
        "correct the other record",
    ),
    "moves": ({"db": 3, "other": 4}, "redis_db", "it already has Redis database 3 and cannot move to 4", "set it to 3"),
    "held": ({"db": 3, "other": "b"}, "redis_db", "Redis database 3 belongs to 'b'", "choose another one"),
    "remembered": (
        {"db": 3, "other": "b"},
        "redis_db",
        "Redis database 3 belongs to 'b' according to its Postgres database",
        "choose another one",
    ),
    "user": ({"db": 3, "other": "b"}, "redis_db", "the Redis user 'b' may select database 3", "ACL DELUSER b"),
    "twice": (
        {"db": 3, "other": ["b", "c"]},
        "known_claims",
        "Redis database 3 is recorded both for it and for 'b', 'c'",
        "correct the comment of the Postgres role of the other deployment",
    ),
    "shared": (
        {"db": 3, "other": "b"},
        "name",
        "Redis records database 3 for it, but the Postgres database of 'b' records 3 too",
        "correct the other record",
    ),
    "range": (
        {"db": 99},
        "redis_db",
        "Redis database 99 does not exist: the server has 1 to 15, and 0 is reserved",
        "raise 'databases' in redis.conf",
    ),
    "occupied": (
        {"db": 3, "keys": 7},
        "redis_db",
        "Redis database 3 is not claimed, but has 7 keys",
        "find out whose keys they are and empty it",
    ),
    "left": (
        {"db": 3, "keys": 7},
        "state",
        "7 keys were written to its Redis database 3 while the deployment was being removed",
        "then run again",
    ),
    "foreign": (
        {},
        "name",
        "Redis has a user of that name which this collection did not create",
        "remove the user with ACL DELUSER",
    ),
    "full": (
        {},
        "name",
        "none of the Redis databases 1 to 15 is free",
        "release deployments that are no longer needed",
    ),
}


@pytest.mark.parametrize("code", MESSAGES)
def test_each_code(code: str) -> None:
    item, option, finding, remedy = MESSAGES[code]
    answer = {"databases": "16", "problems": [{"name": "a", "code": code, **item}]}
    (problem,) = script_problems(answer, Owner("us"))
    assert (problem.deployment, problem.option, problem.finding) == ("a", option, finding)
    assert remedy in problem.remedy


def test_one_other_deployment_needs_no_list() -> None:
    answer = {"databases": 16, "problems": [{"name": "a", "code": "twice", "db": 3, "other": "b"}]}
    assert "recorded both for it and for b" in str(next(script_problems(answer, Owner("us"))))


def test_no_problem() -> None:
    assert list(script_problems({"databases": 16, "problems": None}, Owner())) == []
    assert list(script_problems({"databases": 16, "problems": (), "lost": ["u"]}, Owner())) == []


def test_a_server_that_may_be_one_of_several_is_named_by_nobody() -> None:
    with pytest.raises(ClaimError, match=r"records 2 servers at its address: u, v\. Record which one this is: HSET"):
        list(script_problems({"lost": ["u", "v"], "databases": 16, "problems": None}, Owner()))
