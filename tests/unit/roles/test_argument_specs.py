# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a role says of its variables is what it does: defaults, argument specs, and every name that its files use."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.plugins.module_utils._list_rules import RESERVED_CONNECTIONS

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
PREFIXES = "|".join(ROLES)
# Variables of other roles that a role's defaults look at, always with a default of their own.
BORROWED = re.compile(r"\b((?:docker|redis|postgres|proxy)_[a-z0-9_]+)\s*\| default\(")


def load(role: str, path: str) -> dict[str, t.Any]:
    file = ROOT / "roles" / role / path
    return yaml.safe_load(file.read_text()) or {} if file.exists() else {}


def specs(role: str) -> dict[str, t.Any]:
    return load(role, "meta/argument_specs.yml")["argument_specs"]


def is_template(value: t.Any) -> bool:
    if isinstance(value, (list, dict)):
        return any(is_template(item) for item in (value if isinstance(value, list) else value.values()))
    return isinstance(value, str) and "{{" in value


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_specified_and_nothing_else(role: str) -> None:
    assert list(specs(role)["main"]["options"]) == list(load(role, "defaults/main.yml"))


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_the_same(role: str) -> None:
    options = specs(role)["main"]["options"]
    for name, default in load(role, "defaults/main.yml").items():
        # What is computed, or null, is told in words.
        expected = None if is_template(default) else default
        assert options[name].get("default") == expected, name
        assert ("default" in options[name]) == (expected is not None), name


KINDS = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "dict": dict}


@pytest.mark.parametrize("role", ROLES)
def test_types_and_sentences(role: str) -> None:
    for name, option in specs(role)["main"]["options"].items():
        default = option.get("default")
        assert default is None or default.__class__ is KINDS[option["type"]], name
        assert ("elements" in option) == (option["type"] == "list"), name
        description = option["description"]
        assert all(text.endswith(".") for text in ([description] if isinstance(description, str) else description)), (
            name
        )
        assert name.startswith(f"{role}_")


@pytest.mark.parametrize("role", ROLES)
def test_entry_points_are_documented(role: str) -> None:
    for name, entry in specs(role).items():
        assert entry["version_added"] == "0.1.0"
        assert entry["short_description"]
        assert (ROOT / "roles" / role / "tasks" / f"{name}.yml").exists()


def test_the_check_takes_what_it_uses_and_specifies_it_alike() -> None:
    check, main = specs("langgraph")["check"]["options"], specs("langgraph")["main"]["options"]
    text = (ROOT / "roles/langgraph/tasks/check.yml").read_text()
    assert set(re.findall(r"\blanggraph_\w+", text)) == set(check)
    assert all(check[name] == main[name] for name in check)


def files(role: str) -> t.Iterator[Path]:
    for folder in ("tasks", "templates", "handlers", "vars", "defaults"):
        yield from (path for path in (ROOT / "roles" / role / folder).glob("*") if path.is_file())


def made(text: str) -> set[str]:
    """Names that tasks register, set, or give to a loop."""
    return set(re.findall(r"(?:register|loop_var): (\w+)", text)) | set(re.findall(r"^\s+(__\w+):", text, re.MULTILINE))


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_that_is_used_is_defined(role: str) -> None:
    text = "\n".join(path.read_text() for path in files(role))
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    known = {*load(role, "defaults/main.yml"), *load(role, "vars/main.yml"), *made(code), *BORROWED.findall(code)}
    jinja = " ".join(re.findall(r"{{.*?}}|{%.*?%}|(?:when|that|failed_when|changed_when|until): .*", code, re.DOTALL))
    jinja = re.sub(r"'[^'\n]*'|selfhost\.langgraph\.\w+", "", jinja)
    used = set(re.findall(rf"(?<![.\w])_{{0,2}}(?:{PREFIXES})_\w+", jinja))
    assert used - known == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_variable_that_is_defined_is_used(role: str) -> None:
    text = "\n".join(path.read_text() for path in files(role))
    shared = (ROOT / "playbooks/site.yml").read_text()
    for name in {*load(role, "defaults/main.yml"), *load(role, "vars/main.yml")}:
        assert len(re.findall(rf"\b{name}\b", text)) > 1 or name in shared, name


@pytest.mark.parametrize("role", ROLES)
def test_galaxy_metadata(role: str) -> None:
    info = load(role, "meta/main.yml")["galaxy_info"]
    assert (info["license"], info["min_ansible_version"]) == ("GPL-3.0-or-later", "2.19")
    assert info["platforms"] == [{"name": "Debian", "versions": ["bookworm", "trixie"]}]


def test_the_check_and_the_role_reserve_the_same_connections() -> None:
    assert load("postgres", "vars/main.yml")["_postgres_reserved_connections"] == RESERVED_CONNECTIONS


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_names_only_variables_that_exist(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text()
    named = set(re.findall(rf"`((?:{PREFIXES})_[a-z_]+)`", text))
    assert named
    assert named <= {*load(role, "defaults/main.yml"), "redis_number"}
    assert "untested" in text
