# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the programs that units run on a host as modules."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import typing as t
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def load(file: str, patch: pytest.MonkeyPatch, role: str = "langgraph") -> t.Any:
    """One of a role's files, which finds what the role ships beside it where that comes from."""
    path = ROOT / f"roles/{role}/files/{file}.py"
    patch.setattr(sys, "path", [*sys.path, str(ROOT / "plugins/module_utils")])
    importlib.import_module("_probe")  # what it imports later, when it has been patched
    spec = importlib.util.spec_from_file_location(file.replace("-", "_"), path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
