# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each filter has the name of its file, and its documented arguments are those of its function."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

import pytest
import yaml

DIRECTORY = Path(__file__).parents[4] / "plugins" / "filter"
NAMES = sorted(path.stem for path in DIRECTORY.glob("[a-z]*.py"))


@pytest.mark.parametrize("name", NAMES)
def test_filter(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.selfhost.langgraph.plugins.filter.{name}")
    filters = module.FilterModule().filters()
    documented = yaml.safe_load(module.DOCUMENTATION)
    assert list(filters) == [documented["name"]] == [name]
    _first, *arguments = inspect.signature(filters[name]).parameters
    positional = [part.strip() for part in documented.get("positional", "").split(",") if part.strip()]
    assert arguments == positional == [option for option in documented["options"] if option != "_input"]
