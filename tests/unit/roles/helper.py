# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Load the programs that units run on a host as modules."""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.util
import re
import sys
import typing as t
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
VARIABLES = (ROOT / "roles/langgraph/vars/main.yml").read_text()
# Name on the host -> source.
SHIPPED = {
    name: ROOT / "roles/langgraph" / source.strip("/")
    for name, source in re.findall(r"_helper_dir ~ '/([\w.-]+)': role_path ~ '([^']+)'", VARIABLES)
}


class Beside(importlib.abc.MetaPathFinder):
    """Finds the role's files at their source, by their name on the host."""

    def find_spec(self, fullname: str, path: t.Any = None, target: t.Any = None) -> ModuleSpec | None:
        source = SHIPPED.get(f"{fullname}.py")
        return importlib.util.spec_from_file_location(fullname, source) if source else None


def load(file: str, patch: pytest.MonkeyPatch, role: str = "langgraph") -> t.Any:
    """Load one of the role's files, which finds the other files at their source."""
    path = ROOT / f"roles/{role}/files/{file}.py"
    patch.setattr(sys, "meta_path", [*sys.meta_path, Beside()])
    importlib.import_module("_probe")  # what it imports later, when it has been patched
    spec = importlib.util.spec_from_file_location(file.replace("-", "_"), path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
