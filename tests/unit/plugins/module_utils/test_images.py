# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References as users write them, and as the engine (20.10 and later) lists them."""

from __future__ import annotations

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._images import IMAGE, normal_reference

DIGEST = "sha256:" + "0f" * 32
REFERENCES = {
    "bot": "bot:latest",
    "bot:1": "bot:1",
    "team/bot": "team/bot:latest",
    "library/bot:1": "bot:1",
    "docker.io/bot": "bot:latest",
    "docker.io/library/bot:1": "bot:1",
    "docker.io/langchain/langgraph-api:3.12": "langchain/langgraph-api:3.12",
    "index.docker.io/team/bot:1": "team/bot:1",
    "localhost:5000/bot": "localhost:5000/bot:latest",
    "localhost:5000/library/bot:1": "localhost:5000/library/bot:1",
    "registry.example.org/team/sub/bot:1.2-rc_3": "registry.example.org/team/sub/bot:1.2-rc_3",
    f"bot@{DIGEST}": f"bot@{DIGEST}",
    f"localhost:5000/bot:1@{DIGEST}": f"localhost:5000/bot@{DIGEST}",
    DIGEST: DIGEST,
}


@pytest.mark.parametrize(("written", "listed"), REFERENCES.items())
def test_reference(written: str, listed: str) -> None:
    assert IMAGE.fullmatch(written)
    assert normal_reference(written) == listed
    assert normal_reference(listed) == listed


@pytest.mark.parametrize(
    "text", ["", " bot", "bot:", "bot:1 ", "Bot", "bot//x", "-bot", "bot@sha256:12", "bot:1\n", "$(id)", "--rm", "b;ls"]
)
def test_no_reference(text: str) -> None:
    assert not IMAGE.fullmatch(text)
