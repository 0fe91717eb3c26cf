# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared fixtures of the role tests: apply a single role."""

from __future__ import annotations

import subprocess
import typing as t

import pytest

from playbooks import PROJECT, run_playbook

INVENTORY, PLAYBOOK = PROJECT / "molecule/inventory", str(PROJECT / "molecule/tasks/role.yml")


@pytest.fixture
def role(test_host):
    """Return a function that applies a single role to this host."""

    def run(
        name: str, variables: dict[str, t.Any], *arguments: str, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        given = {"applied_role": name, **variables}
        return run_playbook(INVENTORY, PLAYBOOK, ("--limit", test_host.name, *arguments), given, **settings)

    return run
