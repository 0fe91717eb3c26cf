# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What deployment_rollout decides for each deployment, and what it says about it."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables, parse_rendered
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.diff import content_differences, masked
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Content,
    Deployment,
    Revision,
    Wanted,
    make_record,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step, interrupts, plan
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import content_of

SETTINGS = {
    "proxy": "haproxy",
    "bind_address": "127.0.0.1",
    "port": 8123,
    "hostname": None,
    "prefix": None,
    "tls": False,
    "healthy_deadline": 300,
    "drain_limit": 900,
}
SERVED, FAILED = {"result": "served"}, {"result": "failed"}
KEEP = 3


def content(image_id: str = "sha256:one", environment: dict[str, str] | None = None, **changes: t.Any) -> Content:
    return content_of(image_id, {"A": "1", "B": "2"} if environment is None else environment, **changes)


def wanted(image_id: str = "sha256:one", settings: dict[str, t.Any] | None = None, **changes: t.Any) -> Wanted:
    return Wanted("bot", content(image_id, **changes), {**SETTINGS, **(settings or {})})


def revision(number: int, image_id: str = "sha256:one", **more: t.Any) -> Revision:
    """One that is stopped and has served, where nothing else is said."""
    of = content(image_id)
    record = make_record(of, number, reasons=["new"], by="ann", at="2026-11-25T10:00:00+00:00", schema=None)
    endpoint = {"address": "127.0.0.1", "port": 30000 + number, "healthy_deadline": 300}
    return replace(Revision(number, record, of.environment, SERVED, endpoint), **more)


def up(number: int, image_id: str = "sha256:one", **more: t.Any) -> Revision:
    return revision(number, image_id, **{"active": "active", "enabled": True, **more})


def on_host(*revisions: Revision, serving: int = 1, **settings: t.Any) -> Deployment:
    """A deployment of which ``serving`` serves."""
    return Deployment("bot", {**SETTINGS, "serving": serving, "since": "then", **settings}, revisions)


def direct(*revisions: Revision, port: int = 8123) -> Deployment:
    """The same without a proxy; its containers have the public port."""
    endpoint = {"address": "127.0.0.1", "port": port, "healthy_deadline": 300}
    return on_host(*(replace(item, endpoint=endpoint) for item in revisions), proxy="none")


def step(action: t.Any, *reasons: str, revision: int | None = 1, **more: t.Any) -> Step:
    return Step("bot", action, reasons, revision, **more)


def roll(*reasons: str, revision: int = 2, **more: t.Any) -> Step:
    return step("roll", *reasons, revision=revision, **{"new": True, "write": True, **more})


SERVING = on_host(up(1))
TWO, MOVED, DIRECT = "sha256:two", {"port": 8124}, {"proxy": "none"}
PLANS: dict[str, tuple[Wanted, Deployment | None, Step]] = {
    "new": (wanted(), None, step("create", "new", new=True, write=True)),
    # Nothing
    "nothing to do": (wanted(), SERVING, step("keep")),
    "another name of the same image": (wanted(image="docker.io/library/bot:1"), SERVING, step("keep")),
    "starting already": (wanted(), on_host(up(1, active="activating")), step("wait")),
    # A new revision
    "image": (wanted(TWO, image="bot:2"), SERVING, roll("image_id")),
    "same name, other image": (wanted(TWO), SERVING, roll("image_id")),
    "variable": (wanted(environment={"A": "1", "B": "3"}), SERVING, roll("variable B")),
    "variables come and go": (wanted(environment={"A": "1", "C": "3"}), SERVING, roll("variable B", "variable C")),
    "variables in another order": (wanted(environment={"B": "2", "A": "1"}), SERVING, step("keep")),
    "memory": (wanted(memory="1g"), SERVING, roll("container options")),
    "drain": (wanted(drain_seconds=60), SERVING, roll("container options")),
    "image and port": (wanted(TWO, MOVED), SERVING, roll("image_id", "port")),
    "changed while it was down": (wanted(TWO), on_host(up(1, active="failed")), roll("image_id")),
    "changed while it starts": (wanted(TWO), on_host(up(1, active="activating")), roll("image_id")),
    "environment changed by hand": (
        wanted(),
        on_host(up(1, environment={"A": "1", "B": "3"})),
        roll("files of the serving revision"),
    ),
    "record changed by hand": (
        wanted(),
        on_host(up(1, record={**(revision(1).record or {}), "drain_seconds": 5})),
        roll("files of the serving revision"),
    ),
    "seal changed by hand": (
        wanted(),
        on_host(up(1, record={**(revision(1).record or {}), "config": "0" * 64})),
        roll("files of the serving revision"),
    ),
    "environment gone": (wanted(), on_host(up(1, environment=None)), roll("files of the serving revision")),
    "record cut short": (wanted(), on_host(up(1, record=None)), roll("files of the serving revision")),
    # The proxy alone
    "port": (wanted(settings=MOVED), SERVING, step("route", "port", write=True)),
    "address": (wanted(settings={"bind_address": "::"}), SERVING, step("route", "bind_address", write=True)),
    "host name": (wanted(settings={"hostname": "a.example"}), SERVING, step("route", "hostname", write=True)),
    "prefix": (wanted(settings={"prefix": "/a"}), SERVING, step("route", "prefix", write=True)),
    "TLS": (wanted(settings={"tls": True}), SERVING, step("route", "tls", write=True)),
    # Settings alone
    "limits": (
        wanted(settings={"drain_limit": 60, "healthy_deadline": 30}),
        SERVING,
        step("keep", "healthy_deadline", "drain_limit", write=True),
    ),
    "not enabled": (wanted(), on_host(up(1, enabled=False)), step("keep", enable=True)),
    # An interruption
    "without the proxy": (wanted(settings=DIRECT), SERVING, step("restart", "proxy", write=True)),
    "with the proxy": (wanted(), direct(up(1)), step("restart", "proxy", write=True)),
    "port without a proxy": (
        wanted(settings={**DIRECT, **MOVED}),
        direct(up(1)),
        step("restart", "port", write=True),
    ),
    "image without a proxy": (wanted(TWO, DIRECT), direct(up(1)), roll("image_id")),
    "left on a port that it was to leave": (
        wanted(settings=DIRECT),
        direct(up(1), port=8124),
        step("restart", "published elsewhere", write=True),
    ),
    "its place is not known": (
        wanted(),
        on_host(up(1, endpoint=None)),
        step("restart", "published elsewhere", write=True),
    ),
    "stopped by hand": (wanted(), on_host(up(1, active="inactive")), step("start", "unit is inactive")),
    "failed": (wanted(), on_host(up(1, active="failed")), step("start", "unit is failed")),
    "moved while it was down": (
        wanted(settings=MOVED),
        on_host(up(1, active="failed")),
        step("start", "port", "unit is failed", write=True),
    ),
    # What earlier runs left
    "killed in the middle of a roll": (
        wanted(TWO),
        on_host(up(1), up(2, TWO, outcome=None, enabled=False)),
        roll("image_id", new=False),
    ),
    "killed in the middle of the first": (
        wanted(),
        Deployment("bot", None, (up(1, outcome=None),)),
        step("create", "new", write=True),
    ),
    "killed, and now something else is wanted": (
        wanted("sha256:three"),
        on_host(up(1), up(2, TWO, outcome=None)),
        roll("image_id", revision=3, leftovers=(2,)),
    ),
    "killed, and now the old one is wanted": (
        wanted(),
        on_host(up(1), up(2, TWO, outcome=None)),
        step("keep", "revision 2 runs and does not serve", leftovers=(2,)),
    ),
    "killed before the old one was drained": (
        wanted(TWO),
        on_host(up(1), up(2, TWO), serving=2),
        step("keep", "revision 1 runs and does not serve", revision=2, leftovers=(1,)),
    ),
    "a drain goes on": (
        wanted(TWO),
        on_host(up(1, enabled=False, draining=True), up(2, TWO), serving=2),
        step("keep", revision=2),
    ),
    "failed last time": (
        wanted(TWO),
        on_host(up(1), revision(2, TWO, outcome=FAILED)),
        roll("image_id", new=False),
    ),
    "cut short by a full disk": (
        wanted(TWO),
        on_host(up(1), revision(2, TWO, outcome=None, environment=None)),
        roll("image_id", revision=3),
    ),
    "begun, and changed by hand since": (
        wanted(TWO),
        on_host(up(1), revision(2, TWO, outcome=None, record={**(revision(2, TWO).record or {}), "config": "0" * 64})),
        roll("image_id", revision=3),
    ),
    "back to what an older one was": (
        wanted(),
        on_host(revision(1), up(2, TWO), serving=2),
        roll("image_id", revision=3),
    ),
    "forward again after a rollback": (
        wanted(TWO),
        on_host(up(1), revision(2, TWO)),
        roll("image_id", revision=3),
    ),
    "older ones than are kept": (
        wanted(),
        on_host(*(revision(number) for number in range(1, 5)), up(5), serving=5),
        step("keep", "revision 1 is no longer kept", "revision 2 is no longer kept", revision=5, prune=(1, 2)),
    ),
    # Rollback
    "rollback": (
        replace(wanted(), revision=1),
        on_host(revision(1), up(2, TWO), serving=2),
        roll("rollback from revision 2", revision=1, new=False),
    ),
    "rollback to the one that serves": (replace(wanted(), revision=1), SERVING, step("keep")),
    "rollback to the one that serves and is down": (
        replace(wanted(), revision=1),
        on_host(up(1, active="failed")),
        step("start", "unit is failed"),
    ),
    # Away
    "to be gone": (Wanted("bot"), SERVING, step("remove", revision=None)),
    "gone": (Wanted("bot"), None, step("keep", revision=None)),
    "half gone: files": (Wanted("bot"), Deployment("bot", None, (revision(1),)), step("remove", revision=None)),
    "half gone: a folder": (Wanted("bot"), Deployment("bot"), step("remove", revision=None)),
    "half gone: settings": (Wanted("bot"), Deployment("bot", SETTINGS), step("remove", revision=None)),
}
UNCHANGED = {
    "nothing to do",
    "another name of the same image",
    "variables in another order",
    "starting already",
    "a drain goes on",
    "rollback to the one that serves",
    "gone",
}


@pytest.mark.parametrize(("item", "found", "expected"), PLANS.values(), ids=PLANS)
def test_plan(item: Wanted, found: Deployment | None, expected: Step) -> None:
    assert plan([item], {"bot": found} if found else {}, KEEP) == [expected]


@pytest.mark.parametrize("title", PLANS)
def test_what_is_told_as_changed(title: str) -> None:
    item, found, _step = PLANS[title]
    (planned,) = plan([item], {"bot": found} if found else {}, KEEP)
    assert planned.changed is (title not in UNCHANGED)


@pytest.mark.parametrize(("action", "starts"), [("create", True), ("wait", True), ("route", False), ("remove", False)])
def test_only_what_starts_is_waited_for(action: t.Any, starts: bool) -> None:
    assert Step("bot", action).starts is starts


@pytest.mark.parametrize(
    ("item", "found", "expected"),
    [
        (wanted(), SERVING, False),
        (wanted(TWO), SERVING, False),
        (wanted(settings=MOVED), SERVING, False),
        (wanted(TWO, DIRECT), SERVING, True),
        (wanted(TWO), direct(up(1)), True),
        (wanted(settings=DIRECT), SERVING, True),
        (wanted(), on_host(up(1, active="failed")), True),
        (Wanted("bot"), SERVING, True),
        (wanted(), None, False),
    ],
    ids=["keep", "roll", "route", "roll away from the proxy", "roll to it", "restart", "start", "remove", "create"],
)
def test_who_is_refused_meanwhile(item: Wanted, found: Deployment | None, expected: bool) -> None:
    (told,) = plan([item], {"bot": found} if found else {}, 5)
    assert interrupts(told, item, found) is expected


def test_one_step_a_deployment_in_the_lists_order() -> None:
    two = replace(wanted(), name="two")
    assert [(item.name, item.action) for item in plan([two, wanted(TWO)], {"bot": SERVING}, KEEP)] == [
        ("two", "create"),
        ("bot", "roll"),
    ]


SECRETS = st.text("0123456789", min_size=12, max_size=40)
ENVIRONMENTS = st.dictionaries(st.from_regex(r"[A-Z]{1,6}", fullmatch=True), SECRETS, max_size=4)
ENDS = st.sampled_from(["", "\x0b", "\u2028", "\x85", "\r"])


@given(ENVIRONMENTS, ENVIRONMENTS, ENDS, SECRETS)
def test_no_value_is_shown(old: dict[str, str], new: dict[str, str], end: str, tail: str) -> None:
    before = parse_rendered("".join(f"{name}={value}{end}{tail}\n" for name, value in old.items()) + tail)
    had, item = content(environment=before), wanted(environment=new)
    assert item.content
    record = make_record(had, 1, reasons=(), by="", at="", schema=None)
    found = on_host(up(1, record=record, environment=before))
    shown = masked(had, SETTINGS, item.content, "before") + masked(item.content, SETTINGS, had, "after")
    shown += " ".join((*content_differences(had, item.content), *plan([item], {"bot": found}, KEEP)[0].reasons))
    assert not [value for value in (*old.values(), *new.values(), tail) if value in shown]


OLD = {"DATABASE_URI": "postgres://bot:one@db/bot", "REDIS_URI": "redis://bot:one@r:6379/1"}
ROTATED = {name: value.replace("one", "two") for name, value in OLD.items()}
REDIS_MOVED = {**OLD, "REDIS_URI": "redis://bot:one@r:6380/1"}


def with_credentials(number: int, credentials: Variables, **more: t.Any) -> Revision:
    """A revision that runs with these credentials."""
    endpoint = {
        "address": "127.0.0.1",
        "port": 30000 + number,
        "healthy_deadline": 300,
        **_credentials.note(credentials),
    }
    return up(number, endpoint=endpoint, **more)


def host_of(credentials: Variables | None, *revisions: Revision) -> Deployment:
    return replace(on_host(*revisions), credentials_file=credentials)


# The wanted credentials and image, the file on the host, those of the serving revision -> the step.
CREDENTIALS: dict[str, tuple[Variables, str, Variables | None, Variables, Step]] = {
    "the same": (OLD, "sha256:one", OLD, OLD, step("keep")),
    "none are wanted": ({}, "sha256:one", OLD, ROTATED, step("keep")),
    "rotated": (ROTATED, "sha256:one", OLD, OLD, roll("credentials")),
    "another address": (REDIS_MOVED, "sha256:one", OLD, OLD, roll("address of Redis")),
    "rotated, and the file is that of another revision": (REDIS_MOVED, "sha256:one", ROTATED, OLD, roll("credentials")),
    "another address and image": (REDIS_MOVED, TWO, OLD, OLD, roll("image_id", "address of Redis")),
    "another image": (OLD, TWO, OLD, OLD, roll("image_id")),
    "another image without credentials": ({}, TWO, OLD, OLD, roll("image_id")),
    # No container changes.
    "the file of an earlier version is missing": (
        OLD,
        "sha256:one",
        None,
        OLD,
        step("keep", "credentials file", write=True),
    ),
    "the file was not written": (ROTATED, "sha256:one", OLD, ROTATED, step("keep", "credentials file", write=True)),
}


@pytest.mark.parametrize(("credentials", "image", "file", "has", "expected"), CREDENTIALS.values(), ids=CREDENTIALS)
def test_credentials(
    credentials: Variables, image: str, file: Variables | None, has: Variables, expected: Step
) -> None:
    item = replace(wanted(image), credentials=credentials)
    assert plan([item], {"bot": host_of(file, with_credentials(1, has))}, KEEP) == [expected]


# Revision 2 was begun by a run that did not finish: its credentials, and whether its container may run.
BEGUN: dict[str, tuple[Variables, dict[str, t.Any], int]] = {
    "stopped, with the same": (ROTATED, {"active": "inactive", "enabled": False}, 2),
    "stopped, with others": (OLD, {"active": "inactive", "enabled": False}, 2),
    "running, with the same": (ROTATED, {}, 2),
    # Its container would keep the others.
    "running, with others": (OLD, {}, 3),
    "ending, with others": (OLD, {"active": "deactivating", "enabled": False}, 3),
    "starting by itself, with others": (OLD, {"active": "inactive", "enabled": True}, 3),
    "served": (ROTATED, {"outcome": SERVED}, 3),
    "without its record": (ROTATED, {"record": None}, 3),
    "changed by hand": (ROTATED, {"environment": {"A": "7"}}, 3),
}


@pytest.mark.parametrize(("has", "more", "number"), BEGUN.values(), ids=BEGUN)
def test_a_revision_that_was_begun(has: Variables, more: dict[str, t.Any], number: int) -> None:
    begun = with_credentials(2, has, **{"image_id": TWO, "outcome": None, **more})
    item = replace(wanted(TWO), credentials=ROTATED)
    (planned,) = plan([item], {"bot": host_of(OLD, with_credentials(1, OLD), begun)}, KEEP)
    assert (planned.action, planned.revision, planned.new) == ("roll", number, number == 3)
    # Without credentials of its own a deployment does not compare them.
    (planned,) = plan([replace(item, credentials={})], {"bot": host_of(OLD, with_credentials(1, OLD), begun)}, KEEP)
    assert planned.revision == (2 if has == OLD or number == 2 else 3)


def test_a_record_whose_revision_is_missing_is_no_serving_revision() -> None:
    found = on_host(up(1), revision(2, enabled=True), revision(3), serving=9)
    (planned,) = plan([wanted(TWO)], {"bot": found}, KEEP)
    assert planned == step("create", "new", revision=4, new=True, write=True, leftovers=(1, 2))
    (back,) = plan([replace(wanted(), revision=3)], {"bot": found}, KEEP)
    assert back == step("roll", "rollback", revision=3, write=True, leftovers=(1, 2))


def test_a_revision_without_a_record_is_not_serving() -> None:
    found = replace(on_host(up(1)), settings=None)
    assert plan([wanted()], {"bot": found}, KEEP)[0].action == "create"


def test_old_revisions_are_pruned_only_when_no_new_one_is_made() -> None:
    """Before the new one has served, they may be needed for a rollback."""
    found = on_host(revision(1), revision(2), revision(3), up(4), serving=4)
    (kept,) = plan([wanted()], {"bot": found}, 2)
    assert (kept.prune, kept.changed) == ((1, 2), True)
    assert kept.reasons == ("revision 1 is no longer kept", "revision 2 is no longer kept")
    (rolled,) = plan([wanted(TWO)], {"bot": found}, 2)
    assert (rolled.new, rolled.prune) == (True, ())
    # Nor is the target of a rollback.
    (back,) = plan([replace(wanted(), revision=1)], {"bot": found}, 2)
    assert (back.revision, back.prune) == (1, (2,))


@pytest.mark.parametrize("action", ["create", "roll", "restart", "start", "wait"])
def test_all_that_starts(action: t.Any) -> None:
    assert Step("bot", action).starts
    assert Step("bot", action).changed is (action != "wait")


@pytest.mark.parametrize(
    ("action", "refused"),
    [
        ("create", False),
        ("roll", False),
        ("restart", True),
        ("start", True),
        ("wait", True),
        ("route", False),
        ("remove", True),
    ],
)
@pytest.mark.parametrize("found", [SERVING, Deployment("bot"), None])
def test_what_interrupts(action: t.Any, refused: bool, found: Deployment | None) -> None:
    assert interrupts(Step("bot", action), wanted(), found) is refused
