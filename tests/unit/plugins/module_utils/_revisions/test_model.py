# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a revision, what it looks like to people, and which ones are kept."""

from __future__ import annotations

import hashlib
import json
import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import model
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.diff import masked
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Container,
    Content,
    Deployment,
    Revision,
    make_record,
)
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import content_of

SETTINGS: dict[str, t.Any] = {"proxy": "haproxy", "bind_address": "127.0.0.1", "port": 8123, "serving": 2}
SLOT = {"address": "127.0.0.1", "port": 30002, "healthy_deadline": 300}


def content(image_id: str = "sha256:one", **changes: t.Any) -> Content:
    return content_of(image_id, {"A": "1", "B": "2"}, **changes)


def made(number: int, image_id: str = "sha256:one", **more: t.Any) -> Revision:
    of = content(image_id)
    record = make_record(of, number, reasons=["new"], by="ann", at="now", schema="16")
    return replace(Revision(number, record, of.environment, {"result": "served"}, SLOT), **more)


def test_names() -> None:
    assert model.unit_name("bot", 3) == "langgraph@bot.3.service"
    assert model.drain_unit_name("bot", 3) == "langgraph-drain@bot.3.service"
    assert model.container_name("bot", 3) == "langgraph-bot.3"


FULL = Container("langgraph", memory="1g", cpus="0.5", user="7", read_only=True)
# As an earlier version recorded it.
ARGUMENTS = (
    "--network langgraph --cap-drop ALL --security-opt no-new-privileges --memory 1g --memory-swap 1g --cpus 0.5 "
    "--user 7 --read-only --tmpfs /tmp sha256:one"
).split()


def test_options_of_the_container() -> None:
    assert content(memory="1g", cpus=0.5, user="7", read_only=True).container == FULL
    assert content().container == Container("langgraph")
    assert content().container.options == {"network": "langgraph"}


def test_options_are_read_from_the_record_of_any_version() -> None:
    record = make_record(
        content(memory="1g", cpus=0.5, user="7", read_only=True), 1, reasons=(), by="", at="", schema=None
    )
    assert model.container_of(json.loads(json.dumps(record))) == FULL
    assert model.container_of({"arguments": ARGUMENTS}) == FULL
    bare = [*ARGUMENTS[:6], ARGUMENTS[-1]]
    assert model.container_of({"arguments": bare}) == Container("langgraph")
    assert model.container_of({}) == model.container_of({"container": None}) == Container()


def test_the_hash_of_an_earlier_record_is_that_of_its_arguments() -> None:
    parts = ("sha256:one", *ARGUMENTS, "180", "A=1\n")
    record = {"image_id": "sha256:one", "arguments": ARGUMENTS, "drain_seconds": 180}
    assert model.config_of(record, "A=1\n") == hashlib.sha256("\0".join(parts).encode()).hexdigest()


ONE = "sha256:" + "1" * 64


def test_the_digest_is_recorded_and_makes_no_revision() -> None:
    """An image that was loaded, and is found in a registry later, is the same one."""
    known, plain = content(digest=f"r.example/bot@{ONE}"), content()
    record = make_record(known, 1, reasons=["new"], by="ann", at="now", schema="16")
    assert record["image_digest"] == f"r.example/bot@{ONE}"
    kept = Revision(1, record, known.environment).content
    assert kept
    assert kept.digest == f"r.example/bot@{ONE}"
    assert kept == known == plain
    assert f'"image_digest": "r.example/bot@{ONE}"' in masked(known, None, None, "after")
    assert "image_digest" not in masked(plain, None, None, "after")
    assert make_record(plain, 1, reasons=["new"], by="ann", at="now", schema="16")["image_digest"] is None


def test_a_record_gives_the_content_back() -> None:
    revision = made(1)
    assert revision.content == content()
    assert revision.intact
    assert (revision.record or {})["schema_before"] == "16"
    assert (revision.record or {})["reasons"] == ["new"]


OTHERS: dict[str, dict[str, t.Any]] = {
    "image": {"image_id": "sha256:two"},
    "memory": {"memory": "1g"},
    "drain": {"drain_seconds": 60},
}


@pytest.mark.parametrize("changes", OTHERS.values(), ids=OTHERS)
def test_what_makes_another_revision(changes: dict[str, t.Any]) -> None:
    assert content(**changes) != content()
    assert content(**changes).config != content().config


def test_the_name_of_an_image_makes_none() -> None:
    assert content(image="registry.example/bot:1") == content()
    assert content(image="registry.example/bot:1").config == content().config


HANDS: dict[str, Revision] = {
    "environment": made(1, environment={"A": "1", "B": "3"}),
    "image": made(1, record={**(made(1).record or {}), "image_id": "sha256:other"}),
    "options": made(1, record={**(made(1).record or {}), "container": {"network": "host"}}),
    "seal": made(1, record={**(made(1).record or {}), "config": "0" * 64}),
    "no seal": made(1, record={}),
    "no record": made(1, record=None),
    "no environment": made(1, environment=None),
}


@pytest.mark.parametrize("revision", HANDS.values(), ids=HANDS)
def test_what_was_changed_by_hand_does_not_fit_its_seal(revision: Revision) -> None:
    assert not revision.intact


@pytest.mark.parametrize(
    ("active", "running"),
    [("active", True), ("activating", True), ("reloading", True), ("inactive", False), ("failed", False)],
)
def test_running(active: str, running: bool) -> None:
    assert made(1, active=active).running is running


PLACES: dict[str, tuple[dict[str, t.Any] | None, str, bool]] = {
    "behind the proxy": ({"address": "127.0.0.1", "port": 30000}, "haproxy", True),
    "still in public": ({"address": "127.0.0.1", "port": 8123}, "haproxy", False),
    "on all addresses": ({"address": "0.0.0.0", "port": 30000}, "haproxy", False),
    "in public": ({"address": "127.0.0.1", "port": 8123}, "none", True),
    "on another port": ({"address": "127.0.0.1", "port": 8124}, "none", False),
    "on another address": ({"address": "::", "port": 8123}, "none", False),
    "still behind the proxy": ({"address": "127.0.0.1", "port": 30000}, "none", False),
    "not known": (None, "haproxy", False),
}


@pytest.mark.parametrize(("endpoint", "proxy", "expected"), PLACES.values(), ids=PLACES)
def test_whether_a_container_is_where_it_is_wanted(endpoint: t.Any, proxy: str, expected: bool) -> None:
    assert model.is_at_wanted_endpoint(endpoint, {**SETTINGS, "proxy": proxy}) is expected


def test_the_host_reaches_a_container_at_its_slot() -> None:
    assert model.local_url(SLOT) == "http://127.0.0.1:30002"
    assert model.local_url({"address": "0.0.0.0", "port": 8123}) == "http://127.0.0.1:8123"


def test_a_rollback_goes_to_the_highest_below_that_has_served() -> None:
    failed = {"outcome": {"result": "failed"}}
    revisions = (made(1), made(2), made(3, **failed), made(4), made(5))
    back = model.previous(Deployment("bot", {**SETTINGS, "serving": 4}, revisions))
    assert back is not None
    assert back.number == 2
    assert model.previous(Deployment("bot", {**SETTINGS, "serving": 1}, revisions)) is None
    assert model.previous(Deployment("bot", None, revisions)) is None


def test_what_runs_drains_or_serves_is_not_pruned() -> None:
    revisions = (
        made(1),
        made(2, active="active"),
        made(3, draining=True),
        made(4),
        made(5, active="failed"),
        made(6),
        made(7),
    )
    deployment = Deployment("bot", {**SETTINGS, "serving": 4}, revisions)
    assert [revision.number for revision in model.to_prune(deployment, 2)] == [1, 5]
    assert model.to_prune(deployment, 7) == []


# Which ones have served (s), failed (f) or got nowhere yet (n), in the order of their numbers; how many are kept, which.
KEPT: dict[str, tuple[str, int, list[int]]] = {
    "nothing failed": ("sssss", 3, [3, 4, 5]),
    "a row of bad releases": ("ssffff", 2, [1, 2, 5, 6]),
    "more of them": ("ssffffff", 3, [1, 2, 6, 7, 8]),
    "failed in between": ("sfsfs", 2, [3, 4, 5]),
    "failed ones while there is room": ("fsf", 3, [1, 2, 3]),
    "failed ones alone": ("ffff", 2, [3, 4]),
    "one that got nowhere yet": ("ssfn", 2, [2, 3, 4]),
    "one": ("sfsf", 1, [3, 4]),
    "none": ("sfs", 0, [3]),
    "fewer than kept": ("sf", 5, [1, 2]),
}
RESULTS: dict[str, dict[str, t.Any] | None] = {"s": {"result": "served"}, "f": {"result": "failed"}, "n": None}


@pytest.mark.parametrize(("letters", "keep", "kept"), KEPT.values(), ids=KEPT)
def test_failed_ones_push_out_nothing_to_go_back_to(letters: str, keep: int, kept: list[int]) -> None:
    revisions = tuple(made(number, outcome=RESULTS[letter]) for number, letter in enumerate(letters, 1))
    pruned = model.to_prune(Deployment("bot", {**SETTINGS, "serving": 0}, revisions), keep)
    assert [revision.number for revision in revisions if revision not in pruned] == kept


def test_images_that_only_pruned_revisions_had() -> None:
    pruned = [made(1), made(2, "sha256:two"), made(3, "sha256:two"), made(4, "sha256:lost", record=None)]
    assert model.unused_images(pruned, [made(5)]) == ["sha256:two"]
