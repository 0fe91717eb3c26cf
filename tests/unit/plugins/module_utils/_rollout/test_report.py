# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the modules return and show of one step."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Wanted
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.report import Report, diff_of, result_entry
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._revisions.test_model import (
    SETTINGS,
    content,
    made,
)

FOUND = Deployment("bot", SETTINGS, (made(2),), {"REDIS_URI": "redis://bot:one@r/1"})
NEW = Wanted("bot", content("sha256:two"), {**SETTINGS, "port": 8124}, credentials={"REDIS_URI": "redis://bot:two@r/1"})


def entry(step: Step, wanted: Wanted = NEW, found: Deployment | None = FOUND, **more: t.Any) -> dict[str, t.Any]:
    return result_entry(Report(step, **more), wanted, found)


def test_an_entry_in_full() -> None:
    step = Step("bot", "roll", ("image_id", "port"), 3, new=True, write=True)
    runs, snapshot = {"before": {"pending": 1}}, "/dumps/3"
    assert entry(step, runs=runs, snapshot=snapshot) == {
        "name": "bot",
        "action": "roll",
        "changed": True,
        "interrupts": False,
        "reasons": ["image_id", "port"],
        "revision": 3,
        "image_id": "sha256:two",
        "image_digest": None,
        "image_change": "one to two",
        "runs": runs,
        "snapshot": snapshot,
    }


def test_what_is_kept_changes_nothing() -> None:
    kept = entry(Step("bot", "keep", revision=2), Wanted("bot", content(), SETTINGS))
    assert (kept["changed"], kept["image_change"], kept["runs"], kept["snapshot"]) == (False, None, {}, None)


def test_a_removal_has_no_image_and_interrupts() -> None:
    gone = entry(Step("bot", "remove"), Wanted("bot"))
    assert (gone["image_id"], gone["image_digest"], gone["image_change"]) == (None, None, None)
    assert (gone["interrupts"], gone["changed"], gone["revision"]) == (True, True, None)


@pytest.mark.parametrize("found", [None, Deployment("bot"), Deployment("bot", {**SETTINGS, "serving": 9}, (made(2),))])
def test_a_first_revision_replaces_no_image(found: Deployment | None) -> None:
    assert entry(Step("bot", "create", ("new",), 1, new=True), found=found)["image_change"] is None


def test_the_digest_of_an_image_from_a_registry() -> None:
    pulled = Wanted("bot", content("sha256:two"), SETTINGS)
    assert pulled.content
    object.__setattr__(pulled.content, "digest", "sha256:d2")
    assert entry(Step("bot", "keep"), pulled)["image_digest"] == "sha256:d2"


def test_a_diff_shows_settings_options_and_names_of_variables() -> None:
    shown = diff_of(NEW, FOUND)
    assert (shown["before_header"], shown["after_header"]) == ("deployment bot", "deployment bot")
    before, after = shown["before"], shown["after"]
    assert '"port": 8123' in before
    assert '"port": 8124' in after
    assert '"image_id": "sha256:one"' in before
    assert '"image_id": "sha256:two"' in after
    # Values are masked, and those that change are marked on both sides.
    assert before.splitlines()[-3:] == ["A=********", "B=********", "REDIS_URI=******** (before)"]
    assert after.splitlines()[-3:] == ["A=********", "B=********", "REDIS_URI=******** (after)"]


def test_a_diff_of_what_is_new_and_of_what_goes() -> None:
    created = diff_of(NEW, None)
    assert created["before"] == ""
    assert "REDIS_URI=********\n" in created["after"]
    removed = diff_of(Wanted("bot"), FOUND)
    assert removed["after"] == ""
    assert "REDIS_URI=********\n" in removed["before"]


def test_a_diff_of_a_stop_and_of_a_start() -> None:
    """Everything is kept."""
    stopped = Deployment("bot", {**SETTINGS, "stopped": {"by": "me", "at": "now"}}, FOUND.revisions, FOUND.credentials)
    stop = diff_of(Wanted("bot", stop=True), FOUND)
    assert stop["after"] == f"{stop['before']}stopped\n"
    assert diff_of(Wanted("bot", stop=True), None)["after"] == ""
    start = diff_of(Wanted("bot", content(), SETTINGS, credentials=FOUND.credentials), stopped)
    assert start["before"] == f"{start['after']}stopped\n"
    for step in (Step("bot", "start", revision=2, write=True), Step("bot", "create", revision=3, new=True)):
        shown = entry(step, found=stopped)
        assert (shown["interrupts"], shown["image_change"]) == (False, "one to two")


def test_a_host_without_a_serving_revision_has_only_settings() -> None:
    shown = diff_of(NEW, Deployment("bot", SETTINGS, ()))
    assert '"port": 8123' in shown["before"]
    assert "image_id" not in shown["before"]
