# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Options of every module are documented as they are; those of a rollout are passed by the role, and no secret among them."""

from __future__ import annotations

import importlib
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.selfhost.langgraph.plugins.doc_fragments._rollout import ModuleDocFragment
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    DEFAULT_EXTRA_REVISIONS,
    DEFAULT_RUNNING_REVISIONS,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.modules.helper import (
    MODULES,
    NAMES,
    arguments,
    called,
    documentation,
    documented,
)

ROOT = Path(__file__).parents[4]
BASE = "ansible_collections.selfhost.langgraph.plugins.modules"
SHARED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
KEYS = ("type", "elements", "default", "choices", "required")


def compare(spec: dict[str, t.Any], options: dict[str, t.Any]) -> None:
    assert set(spec) == set(options)
    for name, option in options.items():
        for key in KEYS:
            assert spec[name].get(key) == option.get(key), f"{key} of {name}"
        if "suboptions" in option:
            compare(spec[name]["options"], option["suboptions"])


def sentences(options: dict[str, t.Any], inside: str = "") -> None:
    """Each option has a type, and says what it is in whole sentences."""
    for name, option in options.items():
        assert option["type"], f"{inside}{name}"
        told = option["description"]
        for text in [told] if isinstance(told, str) else told:
            assert text.endswith("."), f"{inside}{name}"
        # What a module cannot do without has no default, and a list says of what.
        assert not (option.get("required") and "default" in option), f"{inside}{name}"
        assert ("elements" in option) == (option["type"] == "list"), f"{inside}{name}"
        sentences(option.get("suboptions") or {}, f"{inside}{name}.")


@pytest.mark.parametrize("name", NAMES)
def test_every_module_is_documented(name: str) -> None:
    told = documentation(name)
    assert told["module"] == name
    assert re.fullmatch(r"\d+\.\d+\.\d+", told["version_added"])
    assert not told["short_description"].endswith(".")
    sentences(documented(name))


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_a_check_mode(name: str) -> None:
    assert called(name)["supports_check_mode"] is True


@pytest.mark.parametrize("name", MODULES)
def test_options_are_documented_as_they_are(name: str) -> None:
    compare(arguments(name), documented(name))


def test_the_environment_is_not_logged() -> None:
    assert arguments("deployment_rollout")["deployments"]["options"]["environment"]["no_log"] is True


@pytest.mark.parametrize("file", ["rollout", "rollback"])
def test_the_role_passes_every_option(file: str) -> None:
    """An option that the role forgot would silently have its default."""
    tasks = yaml.safe_load((ROOT / f"roles/langgraph/tasks/{file}.yml").read_text())
    module = f"selfhost.langgraph.deployment_{file}"
    (task,) = (task for task in tasks if module in task)
    spec = arguments(module.rpartition(".")[2])
    # A rollback is of one deployment; dumps go with the database alone, by the playbook remove.
    assert set(task[module]) == set(spec) - {"rollback": {"parallel"}, "rollout": {"remove_dumps"}}[file]


@pytest.mark.parametrize(
    "name", ["keep_revisions", "min_healthy_time", "max_running_revisions", "max_extra_revisions", "parallel"]
)
def test_defaults_are_those_of_the_role(name: str) -> None:
    defaults = yaml.safe_load((ROOT / "roles/langgraph/defaults/main.yml").read_text())
    assert arguments("deployment_rollout")[name]["default"] == defaults[f"langgraph_{name}"]


def test_one_default_of_how_many_may_run() -> None:
    assert SHARED["max_running_revisions"]["default"] == DEFAULT_RUNNING_REVISIONS
    assert SHARED["max_extra_revisions"]["default"] == DEFAULT_EXTRA_REVISIONS


@pytest.mark.parametrize("name", ["deployment_rollout", "deployment_rollback"])
def test_the_sample_is_what_is_returned(name: str) -> None:
    (returned,) = yaml.safe_load(importlib.import_module(f"{BASE}.{name}").RETURN)["deployments"]["sample"]
    assert set(returned) == {
        "name",
        "action",
        "changed",
        "interrupts",
        "reasons",
        "revision",
        "image_id",
        "image_digest",
        "image_change",
        "runs",
        "snapshot",
    }


def test_modules_that_wait_are_bounded() -> None:
    text = (ROOT / "roles/langgraph/templates/langgraph@.service.j2").read_text()
    assert re.search(r"TimeoutStartSec={{ langgraph_healthy_deadline \| int \+ 120 }}", text)
