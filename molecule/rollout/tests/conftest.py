# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared fixtures of the rollout tests: the list with a change, and the play that applies it."""

from __future__ import annotations

import typing as t

import pytest


@pytest.fixture
def bot(group_vars: dict[str, t.Any]) -> t.Callable[..., list[dict[str, t.Any]]]:
    """Return the list with changes to the first deployment; variables are added to its own."""
    first, *others = group_vars["langgraph_deployments"]

    def changed(env: dict[str, t.Any] | None = None, **options: t.Any) -> list[dict[str, t.Any]]:
        return [{**first, **options, "env": {**first["env"], **(env or {})}}, *others]

    return changed


# Tests roll faster than drains end: with a lower limit each rollout would wait for the oldest drain.
ROOM = {"langgraph_max_running_revisions": 8}


@pytest.fixture
def play(test_host: t.Any) -> t.Callable[..., t.Any]:
    """Return a function that runs the role with a list."""

    def run(deployments: list[dict[str, t.Any]], *arguments: str, **variables: t.Any) -> t.Any:
        return test_host.play(*arguments, langgraph_deployments=deployments, **{**ROOM, **variables})

    return run


@pytest.fixture
def roll(play: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
    """Return a function that runs the role with a list and requires success."""

    def run(deployments: list[dict[str, t.Any]], *arguments: str, **variables: t.Any) -> t.Any:
        done = play(deployments, *arguments, **variables)
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    return run
