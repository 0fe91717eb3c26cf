# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout reports of each deployment."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    Wanted,
    make_record,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.report import Report, diff_of, result_entry
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    OLD,
    ROTATED,
    SECRET,
    content_of,
)

ONE, TWO, DIGEST = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}", f"r.example/bot@sha256:{'3' * 64}"
SETTINGS: dict[str, t.Any] = {"proxy": "haproxy", "bind_address": "127.0.0.1", "port": 8123, "serving": 1}
CONTENT = content_of(ONE)
RECORD = make_record(CONTENT, 1, reasons=["new"], by="ann", at="then", schema=None)
FOUND = Deployment("bot", SETTINGS, (Revision(1, RECORD, CONTENT.environment),), OLD)
ROLL = Step("bot", "roll", ("image_id",), 2, new=True, write=True)
WANTED = Wanted("bot", content_of(TWO, digest=DIGEST), SETTINGS, credentials=ROTATED)


def test_a_new_revision() -> None:
    report = Report(ROLL, runs={"before": {"running": 2}}, snapshot="/dumps/bot.dump")
    assert result_entry(report, WANTED, FOUND) == {
        "name": "bot",
        "action": "roll",
        "changed": True,
        "interrupts": False,
        "reasons": ["image_id"],
        "revision": 2,
        "image_id": TWO,
        "image_digest": DIGEST,
        "image_change": "111111111111 to 222222222222",
        "runs": {"before": {"running": 2}},
        "snapshot": "/dumps/bot.dump",
    }


@pytest.mark.parametrize("found", [None, Deployment("bot"), Deployment("bot", SETTINGS)])
def test_a_first_revision_changes_no_image(found: Deployment | None) -> None:
    entry = result_entry(Report(Step("bot", "create", ("new",), 1, new=True, write=True)), WANTED, found)
    assert (entry["action"], entry["image_change"], entry["snapshot"], entry["runs"]) == ("create", None, None, {})


def test_a_removal_has_no_image() -> None:
    entry = result_entry(Report(Step("bot", "remove")), Wanted("bot"), FOUND)
    assert (entry["changed"], entry["interrupts"]) == (True, True)
    assert {entry[key] for key in ("image_id", "image_digest", "image_change", "revision")} == {None}


def test_an_image_that_came_from_no_registry_has_no_digest() -> None:
    assert result_entry(Report(ROLL), Wanted("bot", content_of(TWO), SETTINGS), FOUND)["image_digest"] is None


def test_a_step_that_interrupts_says_so() -> None:
    wanted = Wanted("bot", WANTED.content, {**SETTINGS, "proxy": "none"})
    assert result_entry(Report(ROLL), wanted, FOUND)["interrupts"] is True


def test_a_diff_has_both_sides_and_no_value() -> None:
    shown = diff_of(WANTED, FOUND)
    assert shown["before_header"] == shown["after_header"] == "deployment bot"
    assert (ONE in shown["before"], TWO in shown["after"]) == (True, True)
    assert "DATABASE_URI=******** (before)\n" in shown["before"]
    assert "DATABASE_URI=******** (after)\n" in shown["after"]
    assert "API_KEY=********\n" in shown["after"]
    assert not [secret for secret in (SECRET, *OLD.values(), *ROTATED.values()) if secret in str(shown)]


def test_a_diff_of_a_new_deployment_has_nothing_before() -> None:
    shown = diff_of(WANTED, None)
    assert shown["before"] == ""
    assert "REDIS_URI=********\n" in shown["after"]


def test_a_diff_of_a_removal_has_nothing_after() -> None:
    shown = diff_of(Wanted("bot"), FOUND)
    assert shown["after"] == ""
    assert '"port": 8123' in shown["before"]
