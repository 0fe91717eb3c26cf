# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names on the pages exist: variables, options, modules, playbooks, make targets, scenarios."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import OPTIONS
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.log_causes import _PATTERNS
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._spelling import FOREIGN

ROOT = Path(__file__).parents[3]
PAGES = sorted(path.relative_to(ROOT).as_posix() for path in [*ROOT.glob("docs/*.md"), ROOT / "README.md"])
ROLES = sorted(path.name for path in ROOT.glob("roles/*"))
GROUPS = {"langgraph_hosts", "langgraph_redis", "langgraph_postgres", "langgraph_registry"}
SCHEMAS = {"langgraph_extensions"}  # in the databases of deployments
PLUGINS = {path.stem for kind in ("modules", "filter", "action") for path in ROOT.glob(f"plugins/{kind}/*.py")}
CODE = re.compile(r"```.*?\n(.*?)```|`([^`]+)`", re.DOTALL)


def variables() -> set[str]:
    """Return all variables of all roles."""
    found: set[str] = set()
    for path in ROOT.glob("roles/*/meta/argument_specs.yml"):
        for entry_point in yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"].values():
            found |= set(entry_point.get("options", {}))
    return found


def code(page: str) -> str:
    """Return the code blocks and code spans of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    # Users choose the names of their vault variables.
    return re.sub(r"\bvault_\w+", "", "\n".join(a or b for a, b in CODE.findall(text)))


def documented() -> set[str]:
    """Return options and results of all modules."""
    texts = (path.read_text(encoding="utf-8") for path in ROOT.glob("plugins/modules/*.py"))
    return {word for text in texts for word in re.findall(r"^\s+([a-z_]+):", text, re.MULTILINE)}


def known() -> set[str]:
    """Return all known names: also those that start with a role's name and are not its variables."""
    codes = {entry[0] for entry in _PATTERNS}
    # A removed option, which is refused by name.
    gone = {"redis_bind"}
    return variables() | gone | FOREIGN | set(OPTIONS) | GROUPS | SCHEMAS | PLUGINS | codes | documented()


@pytest.mark.parametrize("page", PAGES)
def test_variables_and_options_exist(page: str) -> None:
    prefixes = "|".join(ROLES)
    words = set(re.findall(rf"(?<![\w./@-])((?:{prefixes})_[a-z0-9_]+)\b", code(page)))
    assert not (unknown := sorted(words - known())), f"{page} names what does not exist: {', '.join(unknown)}"


@pytest.mark.parametrize("page", PAGES)
def test_what_has_the_collections_name_exists(page: str) -> None:
    names = PLUGINS | set(ROLES) | {path.stem for path in ROOT.glob("playbooks/*.yml")}
    words = set(re.findall(r"\bselfhost\.langgraph\.([a-z_]+)", code(page)))
    assert not (unknown := sorted(words - names)), f"{page} names what does not exist: {', '.join(unknown)}"


@pytest.mark.parametrize("page", PAGES)
def test_targets_of_make_exist(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    words = set(re.findall(r"^(?:# |\$ )?make ([a-z-]+)", code(page), re.MULTILINE))
    assert not (unknown := sorted(words - targets)), f"{page} names what does not exist: make {', '.join(unknown)}"


def test_every_scenario_has_its_line() -> None:
    text = (ROOT / "docs/testing.md").read_text(encoding="utf-8")
    scenarios = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
    missing = [name for name in scenarios if f"make molecule SCENARIO={name}`" not in text]
    assert not missing, f"docs/testing.md has no line with its command for: {', '.join(missing)}"


def test_every_page_is_in_the_table_of_contents() -> None:
    index: str = (ROOT / "docs/index.md").read_text(encoding="utf-8")
    listed: set[str] = {line.split("<")[-1].rstrip(">") for line in _toctrees(index)}
    pages = {path.stem for path in ROOT.glob("docs/*.md")} - {"index"}
    assert not (missing := sorted(pages - listed)), f"docs/index.md does not list: {', '.join(missing)}"


def _toctrees(text: str) -> t.Iterator[str]:
    for block in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
        yield from (line.strip() for line in block.splitlines() if line.strip() and not line.startswith(":"))
