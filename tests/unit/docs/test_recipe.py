# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""There is one recipe: README, the start page and the example have the same three files, in the same layout."""

from __future__ import annotations

import configparser
import re
import textwrap
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "examples/single-host"
PAGES = ("README.md", "docs/start.md")
EDITED = (
    "inventory/hosts.yml",
    "inventory/group_vars/all/main.yml",
    "inventory/group_vars/all/vault.yml",
)
# Steps that a user copies from either page.
STEPS = (
    "python3 -m venv ~/ansible && . ~/ansible/bin/activate",
    "pip install 'ansible-core>=2.19' langgraph-cli docker",
    "ansible-galaxy collection build && ansible-galaxy collection install selfhost-langgraph-*.tar.gz",
    "(umask 077 && openssl rand -hex 32 > .vault-password)",
    "ansible-vault encrypt inventory/group_vars/all/vault.yml",
    "ansible-playbook site.yml --check",
)
HEADER = re.compile(r"\A(---\n)?(#.*\n)+\n")


def blocks(page: str) -> dict[str, str]:
    """Return the files that a page shows: path -> content. The first line of such a block is its path."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = (
        textwrap.dedent(block) for block in re.findall(r"^ *```yaml\n(.*?)^ *```$", text, re.DOTALL | re.MULTILINE)
    )
    named = (re.match(r"# (\S+\.yml)\n(.*)", block, re.DOTALL) for block in found)
    return {match[1]: match[2] for match in named if match}


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("file", EDITED)
def test_a_page_has_the_file_of_the_example(page: str, file: str) -> None:
    written = HEADER.sub("", (EXAMPLE / file).read_text(encoding="utf-8"))
    assert blocks(page)[file] == written, f"{page} and examples/single-host/{file} differ"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_every_step(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    assert [step for step in STEPS if step not in text] == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_other_layout(page: str) -> None:
    assert not re.search(r"group_vars/all\.yml", (ROOT / page).read_text(encoding="utf-8"))


def test_the_readme_starts_with_the_readers_own_machine() -> None:
    titles = re.findall(r"^## (.*)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert titles.index("On your own machines") < titles.index("Demo and tests")


def test_settings_of_the_example() -> None:
    """No step needs an option that the example sets, and no healthy run warns about the interpreter."""
    settings = configparser.ConfigParser()
    settings.read(EXAMPLE / "ansible.cfg", encoding="utf-8")
    assert settings["defaults"]["inventory"] == "inventory"
    assert settings["defaults"]["interpreter_python"] == "/usr/bin/python3"
    assert settings["defaults"]["duplicate_dict_key"] == "error"
    password = settings["defaults"]["vault_password_file"]
    assert f"/{password}" in (EXAMPLE / ".gitignore").read_text(encoding="utf-8").splitlines()
    # Otherwise Ansible prints the name of a task only after its progress messages.
    assert "display_skipped_hosts" not in settings["defaults"]


def test_every_secret_of_the_example_is_in_its_vault() -> None:
    used = set(re.findall(r"\bvault_\w+", (EXAMPLE / EDITED[1]).read_text(encoding="utf-8")))
    given = yaml.safe_load((EXAMPLE / EDITED[2]).read_text(encoding="utf-8"))
    assert set(given) == used
    assert set(given.values()) == {""}, "a secret must not have a value that works"


def test_the_demo_has_the_same_layout() -> None:
    demo = ROOT / "examples/demo"
    assert (demo / "site.yml").read_text(encoding="utf-8") == (EXAMPLE / "site.yml").read_text(encoding="utf-8")
    variables = yaml.safe_load((demo / EDITED[1]).read_text(encoding="utf-8"))
    assert [item["edition"] for item in variables["langgraph_deployments"]] == ["none", "none"]
    groups = yaml.safe_load((demo / "inventory/groups.yml").read_text(encoding="utf-8"))
    assert groups["all"]["children"] == yaml.safe_load((EXAMPLE / EDITED[0]).read_text())["all"]["children"]


def test_the_preview_of_the_demo_has_its_host() -> None:
    """The inventory of the demo finds the secret key by the variable that noxfile.py sets."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (inventory,) = re.findall(r"^# ansible-playbook -i inventory -i (\S+) site\.yml", text, re.MULTILINE)
    settings = (ROOT / "examples/demo" / inventory).read_text(encoding="utf-8")
    used = re.findall(r"'ansible\.builtin\.env', '(\w+)'", settings)
    assert used
    assert [name for name in used if f"export {name}=$PWD" not in text] == []
