# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""References as users write them, and as the engine (20.10 and later) lists them."""

from __future__ import annotations

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import (
    IMAGE,
    content_of,
    named_digest,
    normal_reference,
    registry_of,
    repository_of,
    short,
)

DIGEST = "sha256:" + "0f" * 32
# Written -> listed, registry, repository.
REFERENCES: dict[str, tuple[str, str | None, str]] = {
    "bot": ("bot:latest", None, "bot"),
    "bot:1": ("bot:1", None, "bot"),
    "team/bot": ("team/bot:latest", None, "team/bot"),
    "library/bot:1": ("bot:1", None, "bot"),
    "docker.io/bot": ("bot:latest", None, "bot"),
    "docker.io/library/bot:1": ("bot:1", None, "bot"),
    "docker.io/langchain/langgraph-api:3.12": ("langchain/langgraph-api:3.12", None, "langchain/langgraph-api"),
    "index.docker.io/team/bot:1": ("team/bot:1", None, "team/bot"),
    "localhost/bot": ("localhost/bot:latest", "localhost", "localhost/bot"),
    "localhost:5000/bot": ("localhost:5000/bot:latest", "localhost:5000", "localhost:5000/bot"),
    "localhost:5000/library/bot:1": ("localhost:5000/library/bot:1", "localhost:5000", "localhost:5000/library/bot"),
    "registry:5000/bot:1": ("registry:5000/bot:1", "registry:5000", "registry:5000/bot"),
    "registry/bot:1": ("registry/bot:1", None, "registry/bot"),
    "registry.example.org/team/sub/bot:1.2-rc_3": (
        "registry.example.org/team/sub/bot:1.2-rc_3",
        "registry.example.org",
        "registry.example.org/team/sub/bot",
    ),
    f"bot@{DIGEST}": (f"bot@{DIGEST}", None, "bot"),
    f"localhost:5000/bot:1@{DIGEST}": (f"localhost:5000/bot@{DIGEST}", "localhost:5000", "localhost:5000/bot"),
}


@pytest.mark.parametrize("written", REFERENCES)
def test_reference(written: str) -> None:
    listed, registry, repository = REFERENCES[written]
    assert IMAGE.fullmatch(written)
    assert normal_reference(written) == listed
    assert normal_reference(listed) == listed
    assert registry_of(written) == registry_of(listed) == registry
    assert repository_of(written) == repository_of(listed) == repository


def test_an_id_is_a_reference() -> None:
    assert IMAGE.fullmatch(DIGEST)
    assert normal_reference(DIGEST) == DIGEST
    assert registry_of(DIGEST) is None


@pytest.mark.parametrize(
    "text", ["", " bot", "bot:", "bot:1 ", "Bot", "bot//x", "-bot", "bot@sha256:12", "bot:1\n", "$(id)", "--rm", "b;ls"]
)
def test_no_reference(text: str) -> None:
    assert not IMAGE.fullmatch(text)


@pytest.mark.parametrize("image", [DIGEST, f"bot@{DIGEST}", f"localhost:5000/bot@{DIGEST}"])
def test_short(image: str) -> None:
    assert short(image) == "0f0f0f0f0f0f"


@pytest.mark.parametrize("text", ["not built yet", "bot:1", ""])
def test_what_has_no_digest_stays(text: str) -> None:
    assert short(text) == text


DIGESTS = [f"team/bot-2@{DIGEST}", f"r.example:5000/team/bot@{DIGEST}", f"team/bot@{DIGEST}"]
NAMED = {
    "team/bot:1": f"team/bot@{DIGEST}",
    "docker.io/team/bot": f"team/bot@{DIGEST}",
    "r.example:5000/team/bot:1": f"r.example:5000/team/bot@{DIGEST}",
    f"team/bot@{DIGEST}": f"team/bot@{DIGEST}",
    "team/bo:1": None,
    "bot:1": None,
    DIGEST: None,
}


@pytest.mark.parametrize("image", NAMED)
def test_the_digest_of_the_repository_that_is_named(image: str) -> None:
    """One image may have been pulled from several registries, or pushed to them."""
    assert named_digest(image, DIGESTS) == NAMED[image]
    assert named_digest(image, []) is None


CONFIG = {"Cmd": ["serve"], "Entrypoint": None, "Env": ["A=1"], "Labels": {"x": "1"}, "User": "", "WorkingDir": "/deps"}


def test_content_is_the_same_in_every_engines_words() -> None:
    """What is empty is null, empty or missing; what an engine adds for itself does not count."""
    told = {key: value for key, value in CONFIG.items() if value} | {
        "Hostname": "",
        "Image": "sha256:1",
        "Entrypoint": [],
    }
    assert content_of(["a", "b"], told, "amd64") == content_of(["a", "b"], CONFIG, "amd64")
    assert content_of([], None, None) == content_of((), {}, None)


@pytest.mark.parametrize("key", CONFIG)
def test_content_differs_where_a_container_would(key: str) -> None:
    known = content_of(["a", "b"], CONFIG, "amd64")
    assert content_of(["a", "b"], {**CONFIG, key: ["other"]}, "amd64") != known
    assert content_of(["b", "a"], CONFIG, "amd64") != known
    assert content_of(["a", "b"], CONFIG, "arm64") != known
