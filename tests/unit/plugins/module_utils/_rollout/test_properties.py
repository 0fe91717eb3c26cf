# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever happened to a host before, one undisturbed run leads to one serving revision, and the next changes nothing."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import typing as t
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import from_option
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import FAILPOINTS, STOP_FAILPOINTS
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import make_content
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.module import read_host
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.routing import routes
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    EXITS,
    NEVER_HEALTHY,
    OLD,
    ROTATED,
    Host,
    Killed,
    bot,
    install,
)

PORTS = (8123, 8124, 8125)


def contents(*environments: dict[str, str]) -> st.SearchStrategy[dict[str, t.Any]]:
    return st.fixed_dictionaries(
        {
            "image": st.sampled_from(["bot:1", "bot:2"]),
            "environment": st.sampled_from([{}, {"A": "1"}, *environments]),
            "memory": st.sampled_from([None, "1g"]),
            "credentials": st.sampled_from([OLD, ROTATED, *({**ROTATED, **bad} for bad in environments)]),
        }
    )


# One deployment or two, which may exchange their ports at any time, stop, or go.
GONE = st.sampled_from([{"state": "absent"}, {"state": "stopped"}])


def lists(contents: st.SearchStrategy[dict[str, t.Any]]) -> st.SearchStrategy[list[dict[str, t.Any]]]:
    return st.tuples(st.permutations(PORTS), st.tuples(contents, contents | GONE)).map(
        lambda drawn: [bot(name, port=port, **more) for name, port, more in zip(("bot", "two"), *drawn)]
    )


# (what happens, with what, where the module is killed)
KILLS = st.none() | st.sampled_from([*FAILPOINTS, *STOP_FAILPOINTS]) | st.integers(1, 25)
MODES = st.sampled_from(["haproxy", "haproxy", "none"])
CONVERGE = st.tuples(st.just("converge"), st.tuples(lists(contents(EXITS, NEVER_HEALTHY)), MODES), KILLS)
EVENTS = st.one_of(
    CONVERGE,
    CONVERGE,
    st.tuples(st.just("roll back"), st.none() | st.integers(1, 4), KILLS),
    st.tuples(st.sampled_from(["finish drains", "reboot"]), st.none(), st.none()),
)


def happen(host: Host, what: str, detail: t.Any, kill: str | int | None) -> None:
    """One event; a module that is killed, or refuses, is one too."""
    host.kill_at_stage = kill if isinstance(kill, str) else None
    host.kill_at_touch = kill if isinstance(kill, int) else None
    try:
        if what == "converge":
            wanted, proxy = detail
            watch(host, wanted, proxy)
            host.converge(*wanted, proxy=proxy)
            only_the_serving_start_at_boot(host)
        elif what == "roll back":
            host.roll_back("bot", detail)
        elif what == "reboot":
            host.reboot()
        else:
            host.finish_drains()
    except (Killed, Refused):
        pass
    finally:
        host.kill_at_stage = host.kill_at_touch = None
    host.touch()
    assert (host.unanswered, host.lost_at_boot) == ([], [])
    host.clients.clear()


def only_the_serving_start_at_boot(host: Host) -> None:
    """What failed is never started again by itself, and what is drained neither."""
    for deployment in read_host(str(host.folder)).values():
        serving = deployment.serving.number if deployment.serving else None
        assert {revision.number for revision in deployment.revisions if revision.enabled} <= {serving}


def watch(host: Host, wanted: list[dict[str, t.Any]], proxy: str) -> None:
    """Have clients ask whatever answers and has no reason to stop."""
    found = read_host(str(host.folder))
    host.clients = {
        item["name"]
        for item in wanted
        if item["state"] == "present" and proxy == "haproxy" and host.answers(item["name"]) is not None
        # Another mode of the proxy interrupts; so does going back on one that was begun.
        if routes([found[item["name"]]])
    }


@contextlib.contextmanager
def new_host() -> t.Iterator[Host]:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        yield install(Host(Path(folder)), patch, one_by_one=True)


def check(host: Host, wanted: list[dict[str, t.Any]]) -> None:
    """What is wanted serves, alone, and the proxy sends clients there."""
    for item in wanted:
        name = item["name"]
        if item["state"] == "absent":
            assert (host.answers(name), host.running(name), (host.folder / name).exists()) == (None, [], False)
            continue
        if item["state"] == "stopped":
            assert (host.answers(name), host.running(name)) == (None, [])
            if not (host.folder / name).exists():
                continue
            assert not any(revision.enabled for revision in host.deployment(name).revisions)
            continue
        deployment = host.deployment(name)
        serving = deployment.serving
        assert serving is not None
        environment, credentials = (from_option(item[option]) for option in ("environment", "credentials"))
        assert serving.content == make_content(item, environment, host.images[item["image"]], "langgraph")
        assert host.answers(name) == serving.number
        assert host.unit(serving.number, name).made_with == credentials == deployment.credentials
        assert (serving.active, serving.enabled) == ("active", True)
        assert set(host.running(name)) - set(host.draining(name)) == {serving.number}
        assert [revision.number for revision in deployment.revisions if revision.enabled] == [serving.number]
        assert (deployment.settings or {})["port"] == item["port"]


@given(st.lists(EVENTS, min_size=2, max_size=6), lists(contents()), MODES)
def test_one_run_leads_to_one_serving_revision(events: list[t.Any], wanted: list[dict[str, t.Any]], proxy: str) -> None:
    with new_host() as host:
        for event in events:
            happen(host, *event)
        told = host.converge(*wanted, check_mode=True, proxy=proxy)
        watch(host, wanted, proxy)
        done = host.converge(*wanted, proxy=proxy)
        host.touch()
        assert (host.unanswered, host.lost_at_boot) == ([], [])
        host.clients.clear()
        assert done["failures"] == []
        assert [{**item, "runs": {}} for item in done["deployments"]] == told["deployments"]
        assert done["changed"] == told["changed"]
        check(host, wanted)
        host.finish_drains()
        host.reboot()
        check(host, wanted)
        again = host.converge(*wanted, proxy=proxy)
        reasons = set(itertools.chain(*(item["reasons"] for item in again["deployments"])))
        assert all(reason.endswith("is no longer kept") for reason in reasons)
        assert again["changed"] is bool(reasons)
        assert host.converge(*wanted, proxy=proxy)["changed"] is False
