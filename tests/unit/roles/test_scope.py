# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role reads only its own inputs, constants and results, and the public inputs and outputs of other roles.

What another role registered is private to it. What a task passes to the tasks, the file or the role that it includes must be an
input of that role: a file can then be read without the files that include it.
"""

from __future__ import annotations

import functools
import re
import typing as t
from pathlib import Path

import jinja2
import pytest
import yaml
from jinja2 import nodes

ROOT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
PLAYBOOKS = sorted((ROOT / "playbooks").glob("*.yml"))
BLOCKS = ("block", "rescue", "always")
TASKS = ("tasks", "pre_tasks", "post_tasks")
INCLUDES = {f"{verb}_{what}" for verb in ("import", "include") for what in ("tasks", "role")}
# Keywords whose values are expressions without braces, and the options of modules that are.
EXPRESSIONS = ("when", "failed_when", "changed_when", "until", "that")
OF_ANSIBLE = {
    *("groups", "hostvars", "inventory_dir", "inventory_hostname", "item", "omit", "playbook_dir", "role_path"),
    *("dict", "lookup", "loop", "now", "query", "range", "undef"),
}
# Inputs of earlier versions, which a role refuses.
REMOVED = {"redis_bind"}
Tasks = t.Sequence[t.Mapping[str, t.Any]]


@functools.cache
def load(path: Path) -> t.Any:
    return (yaml.load(path.read_text(), yaml.CSafeLoader) if path.exists() else None) or {}


def role_file(role: str, path: str) -> t.Any:
    return load(ROOT / "roles" / role / path)


def files(role: str, directory: str) -> list[Path]:
    return sorted(path for path in (ROOT / "roles" / role / directory).glob("*") if path.is_file())


def flat(tasks: Tasks) -> t.Iterator[t.Mapping[str, t.Any]]:
    """Return the tasks, and those in their blocks."""
    for task in tasks:
        yield task
        for block in BLOCKS:
            yield from flat(task.get(block) or ())


@functools.cache
def inputs(role: str) -> set[str]:
    return set(role_file(role, "defaults/main.yml"))


@functools.cache
def results(role: str) -> set[str]:
    """Return the variables that the role's tasks register or set."""
    found: set[str] = set()
    for task in (task for path in files(role, "tasks") for task in flat(load(path))):
        found |= {task["register"]} if "register" in task else set()
        found |= set(task.get("ansible.builtin.set_fact") or ())
    return found


def outputs(role: str) -> set[str]:
    """Return the facts that the role sets for others."""
    return {name for name in results(role) if not name.startswith("_")}


def names(text: str) -> set[str]:
    """Return the variables that a template reads."""
    found = list(jinja2.Environment().parse(text).find_all(nodes.Name))
    return {name.name for name in found if name.ctx == "load"} - {name.name for name in found if name.ctx != "load"}


def used(key: str, value: t.Any) -> set[str]:
    """Return the variables that the value of a key reads."""
    if isinstance(value, dict):
        return set().union(*(used(inner, item) for inner, item in value.items()))
    if isinstance(value, list):
        return set().union(*(used(key, item) for item in value))
    if not isinstance(value, str):
        return set()
    return names(f"{{{{ {value} }}}}" if key in EXPRESSIONS and "{{" not in value else value)


def read_by(tasks: Tasks, scope: set[str]) -> t.Iterator[str]:
    """Return the variables that tasks read and that neither the task nor a block around it in the same file defines."""
    for task in tasks:
        own = scope | set(task.get("vars") or ()) | {str((task.get("loop_control") or {}).get("loop_var", "item"))}
        for key, value in task.items():
            if key in BLOCKS:
                yield from read_by(value, own)
            else:
                yield from used(key, value) - own


def read_in(path: Path) -> set[str]:
    """Return the variables that a file of a role reads."""
    if path.parent.name in ("tasks", "handlers"):
        return set(read_by(load(path), set()))
    if path.parent.name == "templates":
        return names(path.read_text())
    return used("", load(path))


def is_known(name: str, role: str) -> bool:
    """Return whether a variable is the role's own, public, or Ansible's."""
    own = inputs(role) | set(role_file(role, "vars/main.yml")) | results(role)
    public = set().union(*(inputs(other) | outputs(other) for other in ROLES))
    return name in own | public | OF_ANSIBLE | REMOVED or name.startswith("ansible_")


FILES = [
    (role, path)
    for role in ROLES
    for directory in ("defaults", "handlers", "tasks", "templates", "vars")
    for path in files(role, directory)
]


@pytest.mark.parametrize(("role", "path"), FILES, ids=[f"{role}/{path.name}" for role, path in FILES])
def test_a_file_reads_no_variable_of_the_file_that_includes_it(role: str, path: Path) -> None:
    assert sorted(name for name in read_in(path) if not is_known(name, role)) == []


def private(text: str) -> set[str]:
    """Return the private names in a file, also those in quotes: the results of other hosts are read by name."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    return set(re.findall(rf"(?<![\w.])_{{1,2}}(?:{'|'.join(ROLES)})_\w+", code))


def is_of(name: str, role: str) -> bool:
    return name.lstrip("_").startswith(f"{role}_")


@pytest.mark.parametrize(("role", "path"), FILES, ids=[f"{role}/{path.name}" for role, path in FILES])
def test_a_role_reads_no_private_variable_of_another_role(role: str, path: Path) -> None:
    assert sorted(name for name in private(path.read_text()) if not is_of(name, role)) == []


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_a_playbook_reads_no_private_variable_of_a_role(path: Path) -> None:
    assert sorted(private(path.read_text())) == []


def passed(tasks: Tasks, role: str | None) -> t.Iterator[tuple[str, str]]:
    """Return the role that each included file belongs to, and the variables that are passed to it."""
    for task in flat(tasks):
        for key in task.keys() & {f"ansible.builtin.{name}" for name in INCLUDES}:
            target = role if key.endswith("_tasks") else task[key]["name"].rpartition(".")[2]
            yield from ((str(target), name) for name in task.get("vars") or ())


@pytest.mark.parametrize("role", ROLES)
def test_a_role_passes_only_inputs(role: str) -> None:
    tasks = [task for path in files(role, "tasks") for task in load(path)]
    assert [(target, name) for target, name in passed(tasks, role) if name not in inputs(target)] == []


@pytest.mark.parametrize("path", PLAYBOOKS, ids=lambda path: path.name)
def test_a_playbook_passes_only_inputs(path: Path) -> None:
    for play in load(path):
        tasks = [task for key in TASKS for task in play.get(key) or ()]
        roles = [
            (item["role"].rpartition(".")[2], name)
            for item in play.get("roles") or ()
            for name in item.get("vars") or ()
        ]
        wrong = [(target, name) for target, name in [*passed(tasks, None), *roles] if name not in inputs(target)]
        assert wrong == [], play["name"]


@pytest.mark.parametrize("role", ROLES)
def test_the_outputs_of_a_role_are_documented(role: str) -> None:
    readme = (ROOT / "roles" / role / "README.md").read_text()
    described = str(role_file(role, "meta/argument_specs.yml")["argument_specs"])
    for name in outputs(role):
        assert name.startswith(f"{role}_")
        assert name in readme, f"{name}: write into roles/{role}/README.md what it contains"
        assert f"C({name})" in described, f"{name}: write into meta/argument_specs.yml that the role sets it"


def test_the_reader_finds_what_a_file_does_not_define() -> None:
    """Templates, expressions and loops are read; a string, and what a block around the task defines, are not."""
    text = """
    - name: A block
      vars: {inside: "{{ outside }}"}
      block:
        - name: A task
          ansible.builtin.debug:
            msg: "{{ inside ~ each ~ 'quoted' }}{% for one in several %}{{ one }}{% endfor %}"
          loop: "{{ listed }}"
          loop_control: {loop_var: each}
          when: asked is defined and inside
      always:
        - ansible.builtin.assert: {that: [first == 1, "{{ second }}"]}
    """
    assert set(read_by(yaml.safe_load(text), set())) == {"outside", "several", "listed", "asked", "first", "second"}
