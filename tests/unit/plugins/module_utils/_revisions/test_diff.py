# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What two revisions differ in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import diff
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.diff import masked
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._revisions.test_model import (
    SETTINGS,
    content,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import content_of

ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64
# Id and digest before and after, and the reported change.
IMAGE_CHANGES: dict[str, tuple[tuple[str, str], tuple[str, str], str | None]] = {
    "same image": ((ONE, ""), (ONE, ""), None),
    "same image, which a registry knows now": ((ONE, ""), (ONE, f"r.example/bot@{TWO}"), None),
    "another": ((ONE, ""), (TWO, ""), "111111111111 to 222222222222"),
    "by digest": (
        (ONE, f"r.example/bot@sha256:{'a' * 64}"),
        (TWO, f"r.example/bot@sha256:{'b' * 64}"),
        "aaaaaaaaaaaa to bbbbbbbbbbbb",
    ),
    "from a registry to an archive": ((ONE, f"r.example/bot@{TWO}"), (TWO, ""), "111111111111 to 222222222222"),
    "in check mode, to be pulled yet": (
        (ONE, f"bot@sha256:{'a' * 64}"),
        (f"bot@{TWO}", f"bot@{TWO}"),
        "aaaaaaaaaaaa to 222222222222",
    ),
    "in check mode, not built yet": ((ONE, ""), ("not built yet", ""), "111111111111 to not built yet"),
}


@pytest.mark.parametrize("title", IMAGE_CHANGES)
def test_image_change(title: str) -> None:
    (old, old_digest), (new, new_digest), told = IMAGE_CHANGES[title]
    before, after = content_of(old, digest=old_digest), content_of(new, digest=new_digest)
    assert diff.image_change(before, after) == told
    assert diff.image_change(None, after) is diff.image_change(before, None) is None


def test_masked_diff_marks_what_changes() -> None:
    old = content()
    new = replace(old, environment={"A": "1", "B": "3", "C": "4"})
    before = masked(old, SETTINGS, new, "before")
    assert before.splitlines()[-2:] == ["A=********", "B=******** (before)"]
    assert masked(new, SETTINGS, old, "after").splitlines()[-2:] == ["B=******** (after)", "C=********"]
    assert '"image": "bot:1"' in before
    assert '"port": 8123' in before
    assert masked(None, None, new, "before") == ""
