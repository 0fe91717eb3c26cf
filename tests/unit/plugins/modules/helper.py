# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module takes, what it says that it takes, and the tasks of its examples."""

from __future__ import annotations

import importlib
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ModuleArgumentSpecValidator

COLLECTION = "selfhost.langgraph"
FOLDER = Path(__file__).parents[4] / "plugins/modules"
NAMES = sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))
# What an action plugin does alone is a module in its documentation only.
MODULES = [name for name in NAMES if "\ndef main(" in (FOLDER / f"{name}.py").read_text()]
RULES = ("mutually_exclusive", "required_together", "required_one_of", "required_if", "required_by")
STAND_INS: dict[str, t.Any] = {"bool": True, "int": 1, "float": 1.0, "list": [], "dict": {}}
Options = t.Mapping[str, t.Any]


class Started(Exception):
    """A module that has said what it takes."""


def load(name: str) -> t.Any:
    return importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.modules.{name}")


def called(name: str) -> dict[str, t.Any]:
    """What a module hands to Ansible."""
    seen: dict[str, t.Any] = {}

    def start(_self: AnsibleModule, **given: t.Any) -> t.NoReturn:
        seen.update(given)
        raise Started

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Started):
        patch.setattr(AnsibleModule, "__init__", start)
        load(name).main()
    return seen


def arguments(name: str) -> dict[str, t.Any]:
    return called(name)["argument_spec"]


def documentation(name: str) -> dict[str, t.Any]:
    return yaml.safe_load(load(name).DOCUMENTATION)


def documented(name: str) -> dict[str, t.Any]:
    """Every option, those of the shared fragments too."""
    own = documentation(name)
    options = dict(own.get("options") or {})
    for fragment in own["extends_documentation_fragment"]:
        path, _dot, part = fragment.removeprefix(f"{COLLECTION}.").partition(".")
        module = importlib.import_module(f"ansible_collections.{COLLECTION}.plugins.doc_fragments.{path}")
        text = getattr(module.ModuleDocFragment, part.upper() or "DOCUMENTATION")
        options |= yaml.safe_load(text).get("options") or {}
    return options


def required(options: Options) -> t.Iterator[str]:
    """Names that a task cannot do without."""
    for name, option in options.items():
        if option.get("required"):
            yield name
            yield from required(option.get("suboptions") or {})


def flat(items: list[dict[str, t.Any]]) -> t.Iterator[dict[str, t.Any]]:
    for item in items:
        inside = [item[key] for key in ("pre_tasks", "tasks", "block", "rescue", "always", "post_tasks") if key in item]
        if not inside:
            yield item
        for more in inside:
            yield from flat(more)


def tasks(name: str) -> list[dict[str, t.Any]]:
    """The tasks of a module's examples, those in blocks and plays too."""
    return list(flat(yaml.safe_load(load(name).EXAMPLES)))


def uses(name: str) -> list[dict[str, t.Any]]:
    """What the examples give to the module itself."""
    return [task[f"{COLLECTION}.{name}"] or {} for task in tasks(name) if f"{COLLECTION}.{name}" in task]


def without_templates(value: t.Any, option: Options) -> t.Any:
    """The value, with something of the right type where only a play would know what the template says."""
    kind = option.get("type", "str")
    if isinstance(value, str) and "{{" in value:
        return option["choices"][0] if "choices" in option else STAND_INS.get(kind, value)
    if kind == "list" and isinstance(value, list):
        inner = {"type": option.get("elements", "str"), "options": option.get("options")}
        return [without_templates(item, inner) for item in value]
    if isinstance(value, dict) and option.get("options"):
        return {
            key: without_templates(item, option["options"].get(key, {"type": "raw"})) for key, item in value.items()
        }
    return value


def problems(given: Options, spec: Options, rules: Options | None = None) -> list[str]:
    """What Ansible's own validation says of a task's arguments."""
    filled = without_templates(dict(given), {"type": "dict", "options": spec})
    kept = {key: value for key, value in (rules or {}).items() if key in RULES}
    return ModuleArgumentSpecValidator(dict(spec), **kept).validate(filled).error_messages
