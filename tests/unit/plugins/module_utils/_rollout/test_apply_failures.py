# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a rollout does when something goes wrong at an unlucky moment, on a faked host (fake_host.py)."""

from __future__ import annotations

import datetime
import fcntl
import itertools
import json
import multiprocessing
import typing as t
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy.reload import ProxyError
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, lock, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import module as rollout_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import snapshot, start
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.failures import summarize
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutHost
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import health
from ansible_collections.selfhost.langgraph.plugins.module_utils._server.health import Answer
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    EXITS,
    FIRST,
    GONE,
    NEVER_HEALTHY,
    Host,
    Killed,
    bot,
)


def kill(host: Host, stage: str, *deployments: dict[str, t.Any], **options: t.Any) -> None:
    """A run that is killed at a stage."""
    host.kill_at_stage = stage
    with pytest.raises(Killed):
        host.converge(*deployments, **options)


def fail_check(host: Host, patch: pytest.MonkeyPatch, number: int) -> None:
    """The check of a revision fails, as without its database; clients still get answers from it."""

    def check(url: str, seconds: float, deadline: float) -> Answer:
        port = host.file(number, "slot.json")["port"]
        return Answer(500, False) if f":{port}/" in url else host.wait_until_stable(url, seconds, deadline)

    patch.setattr(health, "wait_until_stable", check)


def serving(host: Host, name: str = "bot") -> int:
    return (host.deployment(name).settings or {})["serving"]


def revisions(host: Host) -> list[int]:
    return sorted(int(path.name) for path in (host.folder / "bot/revisions").iterdir())


# The deadline of a start


@pytest.fixture
def left(host: Host, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that each revision had to become healthy when its check began."""
    seconds: list[float] = []

    def check(url: str, stable: float, deadline: float) -> Answer:
        seconds.append(deadline - host.clock)
        return host.wait_until_stable(url, stable, deadline)

    monkeypatch.setattr(health, "wait_until_stable", check)
    return seconds


def test_a_wait_for_room_takes_nothing_from_the_deadline(host: Host, left: list[float]) -> None:
    for number in range(1, 5):
        host.converge(bot(image=f"bot:{number}"))
    assert (host.clock, left) == (30, [300] * 4)


def test_a_long_dump_takes_nothing_from_the_deadline(
    host: Host, left: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    def take_long(_uri: str, _path: str) -> None:
        host.clock += 1000

    monkeypatch.setattr(snapshot, "take_snapshot", take_long)
    host.converge(bot())
    assert host.converge(bot(image="bot:2"), snapshot_dir="/dumps", healthy_deadline=60)["failures"] == []
    assert (host.clock, left) == (1000, [300, 60])


def test_the_deadline_alone_is_taken_over_in_place(served: Host) -> None:
    container = (served.unit(1).published, set(served.containers))
    assert served.converge(bot(), healthy_deadline=60)["changed"] is True
    assert served.calls == [("write", "bot/revisions/1/slot.json"), ("write", "bot/deployment.json")]
    endpoint = {"address": FIRST, "port": 8000, "network": "langgraph", "healthy_deadline": 60}
    assert served.file(1, "slot.json") == endpoint
    assert (served.unit(1).published, served.containers) == container
    assert served.converge(bot(), healthy_deadline=60)["changed"] is False


# A revision that fails while clients reach it


NAMED = {"named by the file": ("routed", False), "after a reboot": ("routed", True), "named": ("switched", False)}


@pytest.mark.parametrize(("stage", "reboot"), NAMED.values(), ids=NAMED)
def test_one_that_the_proxy_names_and_that_fails_is_taken_out_first(
    served: Host, monkeypatch: pytest.MonkeyPatch, stage: str, reboot: bool
) -> None:
    kill(served, stage, bot(image="bot:2"))
    if reboot:
        served.reboot()
    fail_check(served, monkeypatch, 2)
    (failure,) = served.converge(bot(image="bot:2"))["failures"]
    assert (failure["revision"], failure["serving"]) == (2, 1)
    assert served.calls == [
        ("stop", "drain bot.2"),
        ("start", "bot.2"),
        ("proxy",),
        ("disable", "bot.2"),
        ("start", "drain bot.2"),
        ("write", "bot/revisions/2/outcome.json"),
    ]
    assert (served.answers(), served.running(), served.draining()) == (1, [1, 2], [2])
    served.finish_drains()
    served.touch()
    served.reboot()
    assert (served.answers(), served.running(), served.unanswered) == (1, [1], [])


def test_a_first_one_that_the_proxy_names_and_that_fails(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    kill(host, "switched", bot())
    assert host.answers() == 1
    fail_check(host, monkeypatch, 1)
    assert [failure["revision"] for failure in host.converge(bot())["failures"]] == [1]
    assert host.calls.index(("proxy",)) < host.calls.index(("start", "drain bot.1"))
    assert (host.answers(), host.draining()) == (None, [1])


def test_a_new_one_that_fails_holds_no_sessions_and_is_stopped(served: Host) -> None:
    assert served.converge(bot(environment=NEVER_HEALTHY))["failures"]
    assert served.calls[-3:-1] == [("disable", "bot.2"), ("stop", "bot.2")]
    assert (served.running(), served.draining(), served.unanswered) == ([1], [], [])


def test_a_rollback_to_one_that_drains_and_fails_cuts_no_stream(served: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    served.converge(bot(image="bot:2"))
    with monkeypatch.context() as patch:
        fail_check(served, patch, 1)
        (failure,) = served.roll_back()["failures"]
    assert (failure["revision"], failure["serving"]) == (1, 2)
    assert ("stop", "bot.1") not in served.calls
    assert served.calls[-1] == ("start", "drain bot.1")
    assert (served.answers(), served.running(), served.draining()) == (2, [1, 2], [1])
    assert (served.unit(1).enabled, served.file(1, "outcome.json")["result"]) == (False, "served")
    assert served.roll_back()["failures"] == []
    assert (served.answers(), served.unanswered) == (1, [])


def test_a_rollback_to_one_that_drains_and_finds_no_room_cuts_no_stream(served: Host) -> None:
    served.converge(bot(image="bot:2"))
    (failure,) = served.roll_back(max_running_revisions=1)["failures"]
    assert failure["cause"].startswith("1 revisions still run, and langgraph_max_running_revisions is 1")
    assert ("stop", "bot.1") not in served.calls
    assert (served.answers(), served.running(), served.draining(), served.unanswered) == (2, [1, 2], [1], [])


# The prefix of what a rollback goes back to


PREFIXED = {"prefix": "/a", "environment": {"MOUNT_PREFIX": "/a"}}
PREFIXES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], str | None]] = {
    "back to one": (PREFIXED, {}, "/a"),
    "back to none": ({}, PREFIXED, None),
    "back to another": (PREFIXED, {"prefix": "/b", "environment": {"MOUNT_PREFIX": "/b"}}, "/a"),
}


@pytest.mark.parametrize(("first", "second", "prefix"), PREFIXES.values(), ids=PREFIXES)
def test_a_rollback_brings_its_prefix(
    host: Host, first: dict[str, t.Any], second: dict[str, t.Any], prefix: str | None
) -> None:
    host.converge(bot(**first))
    host.clients = {"bot"}
    before = host.proxy_loaded or ""
    host.converge(bot(**second))
    (diff,) = host.roll_back(check_mode=True)["diff"]
    assert f'"prefix": {json.dumps(prefix)}' in diff["after"]
    assert host.roll_back()["failures"] == []
    assert (host.deployment().settings or {})["prefix"] == prefix
    # The same but for what names the file and the container's port.
    paths = [line for line in before.splitlines() if " path" in line]
    assert [line for line in (host.proxy_loaded or "").splitlines() if " path" in line] == paths
    assert bool(paths) is bool(prefix)
    assert (host.answers(), host.unanswered) == (1, [])
    assert host.roll_back(revision=1)["changed"] is False


# Dumps


@pytest.fixture
def dumps(host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The directory of dumps, which are files with the schema; each moment is a second after the previous one."""
    moments = itertools.count()
    begin = datetime.datetime(2026, 11, 25, 10, tzinfo=datetime.timezone.utc)  # noqa: UP017 - as the code under test

    def dump(_uri: str, path: str) -> None:
        host.dumps.append(path)
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(f"{host.schema}")

    monkeypatch.setattr(snapshot, "take_snapshot", dump)

    def now() -> str:
        moment = begin + datetime.timedelta(seconds=next(moments))
        return moment.isoformat()

    monkeypatch.setattr(RolloutHost, "now", staticmethod(now))
    return tmp_path / "dumps"


def test_a_rollback_takes_no_dump(host: Host, dumps: Path) -> None:
    host.converge(bot(), snapshot_dir=str(dumps))
    host.converge(bot(image="bot:2"), snapshot_dir=str(dumps))
    assert len(host.dumps) == 1
    (service,) = host.roll_back(snapshot_dir=str(dumps))["deployments"]
    assert (service["snapshot"], len(host.dumps), host.answers()) == (None, 1, 1)


@pytest.mark.parametrize(
    ("schema", "taken", "told"), [("16", 2, "16"), ("17", 1, "16"), (None, 1, "16")], ids=["same", "moved", "unknown"]
)
def test_a_dump_of_a_second_try(host: Host, dumps: Path, schema: str | None, taken: int, told: str) -> None:
    """It has what was written since; where the first try has migrated, only the first dump is of any use."""
    bad = bot(image="bot:2", environment=NEVER_HEALTHY)
    host.converge(bot())
    (first,) = host.converge(bad, snapshot_dir=str(dumps))["deployments"]
    host.schema = schema
    (second,) = host.converge(bad, snapshot_dir=str(dumps))["deployments"]
    assert (second["revision"], second["snapshot"]) == (2, first["snapshot"])
    assert host.dumps == [first["snapshot"]] * taken
    assert Path(second["snapshot"]).read_text() == told


def test_a_deployment_that_is_made_anew_has_dumps_of_its_own(host: Host, dumps: Path) -> None:
    host.converge(bot())
    host.converge(bot(image="bot:2"), snapshot_dir=str(dumps))
    host.converge(GONE)
    host.finish_drains()
    host.schema = "19"
    host.converge(bot())
    (service,) = host.converge(bot(image="bot:2"), snapshot_dir=str(dumps))["deployments"]
    old, new = host.dumps
    assert (service["revision"], service["snapshot"]) == (2, new)
    assert [Path(path).read_text() for path in (old, new)] == ["16", "19"]


def test_a_rollback_does_not_offer_the_dump_of_one_that_was_removed(host: Host, dumps: Path) -> None:
    host.converge(bot())
    host.converge(bot(image="bot:2"), snapshot_dir=str(dumps))
    host.converge(GONE)
    host.converge(bot())
    host.converge(bot(image="bot:2"))
    host.schema = "17"
    assert Path(host.dumps[0]).exists()
    with pytest.raises(Refused, match="there is no snapshot from before it"):
        host.roll_back(snapshot_dir=str(dumps))


def test_what_is_pruned_takes_its_dump_along(host: Host, dumps: Path) -> None:
    for number in range(1, 5):
        host.converge(bot(image=f"bot:{number}"), snapshot_dir=str(dumps), keep_revisions=1)
        host.finish_drains()
    host.converge(bot(image="bot:4"), snapshot_dir=str(dumps), keep_revisions=1)
    assert revisions(host) == [4]
    assert [str(path) for path in dumps.rglob("*.dump")] == host.dumps[-1:]


def test_a_schema_that_cannot_be_read_hides_none_that_is_known(served: Host) -> None:
    served.converge(bot(image="bot:2"))
    served.schema = None
    served.roll_back(allow_schema_mismatch=True)
    assert served.file(1, "outcome.json")["schema"] == "16"


# Waiting for drains


def test_drains_under_way_are_waited_for_and_no_others(served: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []
    wait = start.wait_for_drains

    def note(deployment: Deployment, numbers: t.Iterable[int]) -> list[int]:
        waited.append((deployment.name, sorted(numbers)))
        return wait(deployment, numbers)

    monkeypatch.setattr(start, "wait_for_drains", note)
    served.converge(bot(image="bot:2"))
    assert served.draining() == [1]
    result = served.converge(bot(image="bot:3"), bot("two", port=8124), wait_for_drain=True)
    assert waited == [("bot", [1, 2])]
    assert [list(service["runs"].get("drained", ())) for service in result["deployments"]] == [[1, 2], []]


def test_runs_that_were_lost_long_ago_fail_nothing(served: Host) -> None:
    served.converge(bot(image="bot:2"))
    served.finish_drains()
    (served.folder / "bot/revisions/1/drain.json").write_text(json.dumps({"runs": {"known": True, "lost": ["run-1"]}}))
    assert served.converge(bot(image="bot:2"), wait_for_drain=True)["failures"] == []
    result = served.converge(bot(image="bot:3"), wait_for_drain=True)
    assert (result["failures"], list(result["deployments"][0]["runs"]["drained"])) == ([], [2])


def test_runs_that_a_stray_loses_fail_it(served: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    kill(served, "healthy", bot(image="bot:2"))
    end = served.finish_drains

    def lose() -> None:
        end()
        report = served.folder / "bot/revisions/2/drain.json"
        report.write_text(json.dumps({"runs": {"known": True, "lost": ["run-1"]}}))

    monkeypatch.setattr(served, "finish_drains", lose)
    (failure,) = served.converge(bot(), wait_for_drain=True)["failures"]
    assert (failure["code"], failure["cause"]) == ("lost_runs", "1 runs were lost: run-1")


def test_a_drain_that_never_ends_is_named(served: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its unit fails and is started again and again, as on a full disk."""
    monkeypatch.setattr(served, "finish_drains", lambda: None)
    (failure,) = served.converge(bot(image="bot:2"), wait_for_drain=True, drain_limit=600)["failures"]
    assert failure["cause"] == (
        "1 revisions are still draining after their time limit; see 'systemctl status langgraph-drain@bot.1.service'"
    )
    assert summarize([failure]) == f"deployment 'bot': {failure['cause']}"
    # Until nobody uses it, until its runs have ended, and a minute.
    assert 600 + 180 + 60 < served.clock <= 600 + 180 + 60 + 60
    assert served.answers() == 2


def test_others_may_change_the_host_while_drains_are_waited_for(served: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    took = []
    end = served.finish_drains

    def take_the_lock() -> None:
        with open(lock.LOCK, "a") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        took.append(served.draining())
        end()

    monkeypatch.setattr(served, "finish_drains", take_the_lock)
    served.converge(bot(image="bot:2"), wait_for_drain=True)
    assert took == [[1]]


# One failure is one deployment's


BREAKS: dict[str, tuple[ModuleType, str, Exception]] = {
    "engine": (docker_engine, "remove_container", docker_engine.EngineError("the engine does not answer")),
    "systemd stops": (systemd, "stop", systemd.SystemdError("Unit is masked.")),
    "systemd starts": (systemd, "start", systemd.SystemdError("Unit is masked.")),
    "files": (store, "forget_drain", OSError(5, "Input/output error")),
}


@pytest.mark.parametrize(("module", "function", "error"), BREAKS.values(), ids=BREAKS)
def test_what_breaks_for_one_is_its_failure_alone(
    host: Host, monkeypatch: pytest.MonkeyPatch, module: ModuleType, function: str, error: Exception
) -> None:
    broken = {"langgraph-bot.2", "['langgraph-drain@bot.2.service']", "['langgraph@bot.2.service']", "bot"}
    works = getattr(module, function)
    refused: list[tuple[t.Any, ...]] = []

    def refuse(*arguments: t.Any, **how: t.Any) -> t.Any:
        # Once: what follows is that the failed one is stopped.
        if broken & set(map(str, arguments)) and not refused:
            refused.append(arguments)
            raise error
        return works(*arguments, **how)

    host.converge(bot(), bot("two", port=8124))
    host.clients = {"bot", "two"}
    monkeypatch.setattr(module, function, refuse)
    wanted = [bot(image="bot:2"), bot("two", port=8124, image="bot:2")]
    (failure,) = host.converge(*wanted)["failures"]
    assert len(refused) == 1
    assert [failure[key] for key in ("name", "code", "cause", "serving")] == ["bot", "rollout", str(error), 1]
    assert (host.answers("bot"), host.answers("two"), serving(host), serving(host, "two")) == (1, 2, 1, 2)
    assert host.converge(*wanted)["failures"] == []
    assert (host.answers("bot"), host.unanswered) == (2, [])


REFUSED_LISTENERS: dict[str, tuple[dict[str, int], list[str]]] = {
    "another port": ({"bot": 8133, "two": 8134, "three": 8135}, ["three"]),
    "a port that another leaves": ({"bot": 8124, "two": 8134, "three": 8135}, ["three"]),
    "ports are exchanged": ({"bot": 8124, "two": 8123, "three": 8135}, ["three"]),
    "ports go round": ({"bot": 8124, "two": 8126, "three": 8135, "four": 8123}, ["three"]),
    "its port is wanted": ({"bot": 8125, "two": 8134, "three": 8135}, ["bot", "three"]),
}


@pytest.mark.parametrize("changes", [{}, {"image": "bot:2"}], ids=["routed", "rolled"])
@pytest.mark.parametrize(("ports", "failed"), REFUSED_LISTENERS.values(), ids=REFUSED_LISTENERS)
def test_a_listener_that_is_refused_is_one_deployments_failure(
    host: Host, ports: dict[str, int], failed: list[str], changes: dict[str, t.Any]
) -> None:
    before = {"bot": 8123, "two": 8124, "three": 8125, "four": 8126}
    host.converge(*(bot(name, port=port) for name, port in before.items()))
    host.clients, host.strangers = set(before), {8135: "nginx"}
    wanted = {**before, **ports}
    result = host.converge(*(bot(name, port=port, **changes) for name, port in wanted.items()))
    assert sorted(failure["name"] for failure in result["failures"]) == failed
    assert {failure["code"] for failure in result["failures"]} == {"proxy"}
    found = {name: (host.deployment(name).settings or {})["port"] for name in before}
    assert found == {**wanted, **{name: before[name] for name in failed}}
    good = [name for name in before if name not in failed]
    assert {host.answers(name) for name in good} == {serving(host, name) for name in good} == {2 if changes else 1}
    assert {host.answers(name) for name in failed} == {serving(host, name) for name in failed} == {1}
    assert not [name for name in failed if host.unit(2, name).enabled]
    assert host.unanswered == []


def test_an_exchange_that_the_proxy_refuses_is_told_in_its_words(host: Host) -> None:
    host.converge(bot(), bot("two", port=8124))
    host.clients, host.proxy_refuses = {"bot", "two"}, "HAProxy rejects the configuration; nothing was changed: line 7"
    failures = host.converge(bot(port=8124), bot("two"))["failures"]
    assert [(failure["name"], failure["cause"]) for failure in failures] == [
        ("bot", host.proxy_refuses),
        ("two", host.proxy_refuses),
    ]
    assert host.unanswered == []


# Failed ones among those that are kept


def test_a_row_of_bad_releases_leaves_something_to_go_back_to(host: Host) -> None:
    for number in (1, 2):
        host.converge(bot(image=f"bot:{number}"), keep_revisions=2)
        host.finish_drains()
    for release in range(4):
        assert host.converge(bot(environment={**EXITS, "RELEASE": str(release)}), keep_revisions=2)["failures"]
    assert revisions(host) == [1, 2, 5, 6]
    # Units that failed are not to be seen for ever.
    assert ("reset_failed", "bot.4", "drain bot.4") in host.calls
    assert host.roll_back(keep_revisions=2)["failures"] == []
    assert host.answers() == 1


# One run at a time


def hold_the_lock(pipe: Connection) -> None:
    """Another run, until it is stopped."""
    with rollout_module.host_lock():
        pipe.send(None)
        pipe.recv()


@pytest.fixture
def other_run(host: Host) -> t.Iterator[tuple[Connection, t.Any]]:
    """A process that changes the host, and how to end it."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=hold_the_lock, args=(theirs,))
    process.start()
    ours.recv()
    yield ours, process
    process.kill()
    process.join()


def test_who_holds_the_lock_is_told(
    host: Host, other_run: tuple[Connection, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lock, "DEFAULT_SECONDS", 0.1)
    monkeypatch.setattr(lock, "_SETTLE_SECONDS", 0.1)
    process = other_run[1]
    Path(lock.LOCK).write_text(
        json.dumps({"pid": process.pid, "what": "two, asked for by bob", "since": 0.5, "seconds": 1700})
    )
    for run in (lambda: host.converge(bot()), host.roll_back):
        with pytest.raises(lock.LockedError) as refused:
            run()
        assert str(refused.value) == (
            f"another run (process {process.pid} since 1970-01-01T00:00:00+00:00: two, asked for by bob) has been changing "
            "this host for longer than its limit of 1700 s; check that process and end it; nothing was changed"
        )
    assert (host.calls, list(host.folder.iterdir())) == ([], [])
    assert host.converge(bot(), check_mode=True)["changed"] is True
    process.kill()
    process.join()
    assert host.converge(bot())["failures"] == []


def test_a_run_that_ends_in_time_is_waited_for(
    host: Host, other_run: tuple[Connection, t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe, process = other_run
    slept = []

    def end_it(seconds: float) -> None:
        slept.append(seconds)
        pipe.send(None)
        process.join()

    clock = SimpleNamespace(monotonic=lambda: 0.0, time=lambda: 0.0, sleep=end_it)
    monkeypatch.setattr(lock, "time", clock)
    assert host.converge(bot())["failures"] == []
    assert len(slept) == 1


# A proxy that cannot be loaded


def test_what_clients_may_still_reach_is_not_drained(served: Host) -> None:
    kill(served, "switched", bot(image="bot:2"))
    served.proxy_refuses = "no new worker within 30 s; the old worker continues to serve"
    (failure,) = served.converge(bot(image="bot:3"))["failures"]
    assert (failure["revision"], failure["code"]) == (3, "proxy")
    assert (served.answers(), served.running(), served.draining()) == (2, [1, 2], [])
    served.proxy_refuses = None
    assert served.converge(bot(image="bot:3"))["failures"] == []
    assert (served.answers(), served.draining(), served.unanswered) == (3, [1, 2], [])


def test_what_clients_may_still_reach_is_not_drained_where_nothing_else_changes(served: Host) -> None:
    kill(served, "switched", bot(image="bot:2"))
    served.proxy_refuses = "no new worker within 30 s; the old worker continues to serve"
    with pytest.raises(ProxyError, match="^no new worker"):
        served.converge(bot())
    assert (served.answers(), served.running(), served.draining(), served.unanswered) == (2, [1, 2], [], [])


def test_what_clients_may_still_reach_makes_no_room(served: Host) -> None:
    kill(served, "switched", bot(image="bot:2"))
    served.proxy_refuses = "no new worker within 30 s; the old worker continues to serve"
    (failure,) = served.converge(bot(image="bot:3"), max_running_revisions=2)["failures"]
    assert failure["cause"].startswith("2 revisions still run")
    assert (served.answers(), served.running(), served.draining(), served.unanswered) == (2, [1, 2], [], [])


def test_a_failed_one_that_clients_may_still_reach_is_not_drained(
    served: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    kill(served, "switched", bot(image="bot:2"))
    served.proxy_refuses = "no new worker within 30 s; the old worker continues to serve"
    fail_check(served, monkeypatch, 2)
    assert served.converge(bot(image="bot:2"))["failures"]
    assert (served.answers(), served.unit(2).enabled, served.draining()) == (2, True, [])
    served.proxy_refuses = None
    assert served.converge(bot())["failures"] == []
    assert (served.answers(), served.draining()) == (1, [2])
    assert (served.unanswered, served.lost_at_boot) == ([], [])


# Back after an interrupted run


@pytest.mark.parametrize("wanted", [bot(), bot(environment=EXITS)], ids=["asked for", "fails"])
def test_clients_go_back_only_to_what_runs(served: Host, wanted: dict[str, t.Any]) -> None:
    """The record says 1, which is stopped, and the proxy has 2: 1 starts before the proxy is loaded."""
    kill(served, "switched", bot(image="bot:2"))
    systemd.stop(["langgraph@bot.1.service"])
    assert served.answers() == 2
    result = served.converge(wanted, {**GONE, "name": "two"})
    assert [failure["serving"] for failure in result["failures"]] == ([1] if wanted != bot() else [])
    assert (served.answers(), served.draining(), served.unanswered) == (1, [2], [])


INTERRUPTED = (
    "deployment 'bot', option 'revision': an interrupted run left the proxy on a different revision from the host's record; "
    "name the revision to roll back to, or run the playbook site first"
)


@pytest.mark.parametrize("stage", ["routed", "switched"])
@pytest.mark.parametrize("before", [1, 2])
def test_a_rollback_after_an_interrupted_run_does_not_guess(served: Host, stage: str, before: int) -> None:
    for number in range(2, before + 1):
        served.converge(bot(image=f"bot:{number}"))
    kill(served, stage, bot(image="bot:3"))
    served.schema = "17"
    served.calls.clear()
    for check_mode in (True, False):
        with pytest.raises(Refused) as refused:
            served.roll_back(check_mode=check_mode)
        assert str(refused.value) == INTERRUPTED
    assert served.calls == []
    # To the one that serves by the record, whatever the present schema is.
    result = served.roll_back(revision=before)
    assert (result["changed"], result["failures"]) == (True, [])
    assert (served.answers(), serving(served), served.unanswered) == (before, before, [])
    assert before + 1 in served.draining()


@pytest.mark.parametrize("stage", ["routed", "switched"])
def test_a_rollback_by_number_after_an_interrupted_run(served: Host, stage: str) -> None:
    served.converge(bot(image="bot:2"))
    served.finish_drains()
    kill(served, stage, bot(image="bot:3"))
    assert served.roll_back(revision=1)["failures"] == []
    assert (served.answers(), serving(served), served.draining(), served.unanswered) == (1, 1, [2, 3], [])
    served.finish_drains()
    assert served.running() == [1]


@pytest.mark.parametrize("stage", ["healthy", "enabled", "recorded", "drained"])
def test_a_rollback_after_a_run_that_left_the_proxy_as_recorded(served: Host, stage: str) -> None:
    served.converge(bot(image="bot:2"))
    kill(served, stage, bot(image="bot:3"))
    by_record = serving(served)
    assert served.roll_back()["failures"] == []
    assert (serving(served), served.unanswered) == (by_record - 1, [])
