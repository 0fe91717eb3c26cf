# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The description of each variable ends with the effect of a later change, as the page of variables promises."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))


def options(role: str) -> dict[str, t.Any]:
    text = (ROOT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["argument_specs"]["main"].get("options", {})


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_says_what_changing_it_does(role: str) -> None:
    described = {name: option["description"] for name, option in options(role).items()}
    silent = [name for name, text in described.items() if isinstance(text, str) or len(text) < 2]
    path = f"roles/{role}/meta/argument_specs.yml"
    assert not silent, f"{path}: no second sentence on what a later change does: {', '.join(silent)}"
