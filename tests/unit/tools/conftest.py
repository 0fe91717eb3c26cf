# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tools as modules: they are scripts that import each other, not a package."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], t.Any]:
    """Return a function that imports a tool by its name."""
    monkeypatch.syspath_prepend(str(TOOLS))
    return importlib.import_module
