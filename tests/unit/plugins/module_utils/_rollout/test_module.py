# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""deployment_rollout and deployment_rollback on a host whose systemd, engine and proxy are faked (fake_host.py)."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import typing as t
from pathlib import Path
from types import SimpleNamespace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import FAILPOINTS, STOP_FAILPOINTS
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, firewall, lock, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import module as rollout_module
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import snapshot
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.failures import summarize
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.routing import proxy_text
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import RolloutError
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    EXITS,
    FIRST,
    GONE,
    NEVER_HEALTHY,
    ROTATED,
    SECRET,
    STOPPED,
    Host,
    Killed,
    bot,
    install,
)

BAD_RELEASES = {"exits at boot": EXITS, "never becomes healthy": NEVER_HEALTHY}


def actions(result: dict[str, t.Any]) -> list[str]:
    return [item["action"] for item in result["deployments"]]


def told(result: dict[str, t.Any]) -> dict[str, t.Any]:
    """What check mode and the real run have to agree on."""
    services = [{**item, "runs": {}} for item in result["deployments"]]
    return {"changed": result["changed"], "deployments": services, "diff": result["diff"]}


def files(host: Host) -> dict[str, str]:
    return {str(path.relative_to(host.folder)): path.read_text() for path in host.folder.rglob("*") if path.is_file()}


# The usual


def test_create_then_nothing(host: Host) -> None:
    first = host.converge(bot(), bot("two", port=8124))
    assert (first["changed"], actions(first), first["failures"]) == (True, ["create", "create"], [])
    assert (host.answers("bot"), host.answers("two")) == (1, 1)
    second = host.converge(bot(), bot("two", port=8124))
    assert (second["changed"], actions(second), second["diff"]) == (False, ["keep", "keep"], [])
    assert host.calls == []


def test_a_revision_says_what_it_is(host: Host) -> None:
    host.converge(bot())
    host.converge(bot(image="bot:2"))
    record = host.file(2, "revision.json")
    assert record["image"] == "bot:2"
    assert record["created_by"] == "ann"
    assert record["reasons"] == ["image_id"]
    assert record["schema_before"] == "16"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", record["created"])
    outcome = host.file(2, "outcome.json")
    assert (outcome["result"], outcome["schema"]) == ("served", "16")


def test_files_are_for_root_alone(host: Host) -> None:
    host.converge(bot())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in host.folder.rglob("*")}
    assert modes == {
        **dict.fromkeys(("bot", "revisions", "1"), 0o700),
        **dict.fromkeys(("deployment.json", "revision.json", "environment", "slot.json", "outcome.json"), 0o600),
    }


def test_order_of_a_roll(served: Host) -> None:
    """What starts at boot includes what the proxy's file names, at each moment."""
    served.converge(bot(image="bot:2"))
    assert served.calls == [
        ("write", "bot/revisions/2/slot.json"),
        ("stop", "drain bot.2"),
        ("rm", "langgraph-bot.2"),
        ("start", "bot.2"),
        ("enable", "bot.2"),
        ("proxy",),
        ("write", "bot/revisions/2/outcome.json"),
        ("write", "bot/deployment.json"),
        ("start", "drain bot.1"),
    ]
    assert served.unanswered == []
    assert (served.answers(), served.running(), served.draining()) == (2, [1, 2], [1])
    served.finish_drains()
    assert (served.answers(), served.running()) == (2, [2])


def test_only_the_changed_one_rolls(host: Host) -> None:
    host.converge(bot(), bot("two", port=8124))
    assert actions(host.converge(bot(image="bot:2"), bot("two", port=8124))) == ["roll", "keep"]
    assert not [call for call in host.calls if "two" in str(call)]


def test_another_name_of_the_image_changes_nothing(served: Host) -> None:
    served.images["registry.example/bot:1"] = served.images["bot:1"]
    result = served.converge(bot(image="registry.example/bot:1"))
    assert (result["changed"], served.calls) == (False, [])


def test_image_under_its_long_name(host: Host) -> None:
    assert actions(host.converge(bot(image="docker.io/library/bot:1"))) == ["create"]


DIGESTS = [f"r.example/bot@sha256:{letter * 64}" for letter in "ab"]


def test_what_the_registry_calls_an_image(host: Host) -> None:
    """Two releases from a registry are reported by its digests, and kept in the record."""
    host.images |= {"r.example/bot:1": "sha256:1", DIGESTS[0]: "sha256:1", f"other/bot@sha256:{'c' * 64}": "sha256:1"}
    (first,) = host.converge(bot(image="r.example/bot:1"))["deployments"]
    assert (first["image_digest"], first["image_change"]) == (DIGESTS[0], None)
    assert host.file(1, "revision.json")["image_digest"] == DIGESTS[0]
    host.images |= {"r.example/bot:1": "sha256:2", DIGESTS[1]: "sha256:2"}
    wanted = bot(image="r.example/bot:1")
    (planned,), (done,) = (host.converge(wanted, check_mode=mode)["deployments"] for mode in (True, False))
    for told in (planned, done):
        assert (told["image_digest"], told["image_change"]) == (DIGESTS[1], "aaaaaaaaaaaa to bbbbbbbbbbbb")
    (again,) = host.converge(wanted)["deployments"]
    assert (again["changed"], again["image_digest"], again["image_change"]) == (False, DIGESTS[1], None)
    back = host.roll_back()["deployments"][0]
    assert (back["image_digest"], back["image_change"]) == (DIGESTS[0], "bbbbbbbbbbbb to aaaaaaaaaaaa")


def test_an_image_that_no_registry_has(host: Host) -> None:
    host.converge(bot())
    (told,) = host.converge(bot(image="bot:2"))["deployments"]
    assert (told["image_digest"], told["image_change"]) == (None, "1 to 2")
    assert host.file(2, "revision.json")["image_digest"] is None


def test_check_mode_takes_a_digest_that_is_to_be_pulled_for_the_image(host: Host) -> None:
    """Its id is not known before."""
    host.images |= {"r.example/bot:1": "sha256:1", DIGESTS[0]: "sha256:1"}
    host.converge(bot(image="r.example/bot:1"))
    coming = {"r.example/bot:1": DIGESTS[1]}
    (told,) = host.converge(bot(image="r.example/bot:1"), check_mode=True, image_ids=coming)["deployments"]
    assert (told["action"], told["image_digest"]) == ("roll", DIGESTS[1])
    assert told["image_change"] == "aaaaaaaaaaaa to bbbbbbbbbbbb"


def test_a_deployment_that_is_not_in_the_list_keeps_its_place_in_the_proxy(host: Host) -> None:
    host.converge(bot())
    host.converge(bot("two", port=8124))
    assert (host.answers("bot"), host.answers("two")) == (1, 1)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"image": "bot:2"}),
        ({}, {"environment": {"API_KEY": "another-secret-value"}}),
        ({}, {"port": 8125}),
        ({"port": 8125}, {"port": 8125, "memory": "1g"}),
        ({}, {}),
    ],
)
def test_check_mode_tells_the_same_and_does_nothing(
    host: Host, before: dict[str, t.Any], after: dict[str, t.Any]
) -> None:
    for lists in ([bot(**before)], [bot(**after), bot("two", port=8124)], [GONE, bot("two", port=8124)]):
        were, units = files(host), repr(host.units)
        check = host.converge(*lists, check_mode=True)
        assert (host.calls, files(host), repr(host.units)) == ([], were, units)
        assert told(check) == told(host.converge(*lists))
        host.finish_drains()


def test_check_mode_takes_images_that_come_for_present(host: Host) -> None:
    with pytest.raises(Refused) as refused:
        host.converge(bot(image="no:1"))
    assert str(refused.value) == (
        "deployment 'bot', option 'image': the host has no image 'no:1'; load or pull it first"
    )
    assert actions(host.converge(bot(image="no:1"), check_mode=True)) == ["create"]
    assert list(host.folder.iterdir()) == []
    host.converge(bot())
    coming = {"bot:9": "sha256:1"}
    assert actions(host.converge(bot(image="bot:9"), check_mode=True, image_ids=coming)) == ["keep"]


PINNED = {"bot:1": "sha256:2"}


@pytest.mark.parametrize("pin", ["sha256:2", DIGESTS[1]], ids=["id", "digest"])
def test_a_deployment_runs_the_pinned_image_whatever_its_name_stands_for(host: Host, pin: str) -> None:
    """Somebody has moved the tag on the host since the play has pinned the image for all hosts."""
    host.images |= {"sha256:2": "sha256:2", DIGESTS[1]: "sha256:2"}
    wanted = bot(image="docker.io/library/bot:1")
    for check_mode in (True, False):
        (told,) = host.converge(wanted, check_mode=check_mode, image_ids={"bot": "x", "bot:1": pin})["deployments"]
        assert told["image_id"] == "sha256:2"
    assert host.file(1, "revision.json")["image_id"] == "sha256:2"
    assert host.file(1, "revision.json")["image"] == "docker.io/library/bot:1"
    assert actions(host.converge(bot(), image_ids=PINNED)) == ["keep"]


def test_a_pinned_image_that_the_host_no_longer_has(host: Host) -> None:
    """The image of the same name is another one, and must not run instead."""
    with pytest.raises(Refused, match="the host has no image 'bot:1'; load or pull it first"):
        host.converge(bot(), image_ids=PINNED)
    assert list(host.folder.iterdir()) == []


@pytest.mark.parametrize("name", ["", ".", "..", "../etc", "a/b", "A"])
def test_a_name_is_no_path(host: Host, name: str) -> None:
    with pytest.raises(
        Refused,
        match="option 'name': it is not a letter followed by lower-case letters, digits and inner hyphens; choose another name$",
    ):
        host.converge({"name": name, "state": "absent"})
    with pytest.raises(Refused, match="option 'name'"):
        host.roll_back(name)


def test_no_value_in_a_result(host: Host) -> None:
    first = host.converge(bot())
    second = host.converge(bot(environment={"API_KEY": "another-secret-value"}))
    assert SECRET not in f"{first}{second}"
    assert "another-secret-value" not in str(second)
    assert second["deployments"][0]["reasons"] == ["variable API_KEY"]
    assert "API_KEY=******** (after)" in second["diff"][0]["after"]


def test_runs_are_counted_before_and_after(host: Host) -> None:
    host.runs = {"r1": ("t1", "running"), "r2": ("t2", "running"), "r3": ("t3", "pending")}
    host.converge(bot())
    (service,) = host.converge(bot(image="bot:2"))["deployments"]
    assert service["runs"] == {key: {"pending": 1, "running": 2} for key in ("before", "after")}


# Addresses


def test_two_deployments_exchange_their_ports_and_no_container_is_touched(host: Host) -> None:
    host.converge(bot(), bot("two", port=8124))
    host.clients = {"bot", "two"}
    assert actions(host.converge(bot(port=8124), bot("two"))) == ["route", "route"]
    assert host.calls == [
        ("proxy",),
        ("write", "switched.json"),
        ("write", "bot/deployment.json"),
        ("write", "two/deployment.json"),
    ]
    assert (host.unanswered, (host.folder / "switched.json").exists()) == ([], False)
    assert "frontend port-8124 from langgraph" in (host.proxy_loaded or "")
    assert host.converge(bot(port=8124), bot("two"))["changed"] is False


def exchange_and_kill(host: Host, touch: int, **more: t.Any) -> None:
    """Two deployments exchange their ports, and the module is killed at a touch: the proxy's file is the first."""
    host.converge(bot(), bot("two", port=8124))
    host.clients, host.kill_at_touch = {"bot", "two"}, touch
    with pytest.raises(Killed):
        host.converge(bot(port=8124), bot("two", **more))


def ports(host: Host) -> list[int]:
    return [(host.deployment(name).settings or {})["port"] for name in ("bot", "two")]


@pytest.mark.parametrize(("touch", "found"), [(3, [8123, 8124]), (4, [8124, 8123]), (5, [8124, 8123])])
def test_killed_between_the_records_of_two_that_exchange_their_ports(host: Host, touch: int, found: list[int]) -> None:
    exchange_and_kill(host, touch)
    assert ports(host) == found
    assert host.converge(bot(port=8124), bot("two"), check_mode=True)["changed"] is True
    assert ports(host) == found
    assert host.converge(bot(port=8124), bot("two"))["failures"] == []
    assert (ports(host), host.unanswered) == ([8124, 8123], [])
    assert host.converge(bot(port=8124), bot("two"))["changed"] is False


@pytest.mark.parametrize("touch", [4, 5])
def test_a_rollback_after_a_kill_between_two_records(host: Host, touch: int) -> None:
    exchange_and_kill(host, touch)
    assert host.roll_back(revision=1, check_mode=True)["changed"] is True
    assert (host.roll_back(revision=1)["failures"], ports(host)) == ([], [8124, 8123])
    assert (host.roll_back(revision=1)["changed"], host.unanswered) == (False, [])


def test_a_bad_release_after_a_kill_between_two_records(host: Host) -> None:
    """What the proxy names is what serves by the record then: nothing else starts at boot."""
    exchange_and_kill(host, 10, image="bot:2")
    assert host.calls[-2:] == [("write", "switched.json"), ("write", "bot/deployment.json")]
    (failure,) = host.converge(bot(port=8124), bot("two", environment=EXITS))["failures"]
    assert (failure["revision"], failure["serving"]) == (3, 2)
    assert [host.unit(number, "two").enabled for number in (1, 2, 3)] == [False, True, False]
    assert (host.answers("two"), host.unanswered) == (2, [])


EXCHANGES: dict[str, tuple[dict[str, t.Any], dict[str, t.Any]]] = {
    "one rolls": ({"image": "bot:2"}, {}),
    "the other rolls": ({}, {"image": "bot:2"}),
    "both roll": ({"image": "bot:2"}, {"image": "bot:2"}),
}


@pytest.mark.parametrize(("first", "second"), EXCHANGES.values(), ids=EXCHANGES)
def test_ports_are_exchanged_while_revisions_are(host: Host, first: dict[str, t.Any], second: dict[str, t.Any]) -> None:
    host.converge(bot(), bot("two", port=8124))
    host.clients = {"bot", "two"}
    assert host.converge(bot(port=8124, **first), bot("two", **second))["failures"] == []
    assert host.unanswered == []
    assert [host.deployment(name).settings["port"] for name in ("bot", "two")] == [8124, 8123]  # type: ignore[index]


def test_a_new_deployment_takes_the_port_that_another_leaves(served: Host) -> None:
    result = served.converge(bot(port=8124), bot("two"))
    assert (actions(result), result["failures"]) == (["route", "create"], [])
    assert (served.answers("bot"), served.answers("two"), served.unanswered) == (1, 1, [])


def test_a_port_that_its_holder_could_not_leave(host: Host) -> None:
    """bot's new revision fails, so that it keeps 8123: two cannot have it, three is not concerned."""
    host.converge(bot(), bot("two", port=8124), bot("three", port=8125))
    result = host.converge(bot(port=8124, environment=EXITS), bot("two"), bot("three", port=8125, image="bot:2"))
    assert [(failure["name"], failure["code"]) for failure in result["failures"]] == [
        ("bot", "exited"),
        ("two", "proxy"),
    ]
    assert result["failures"][1]["cause"] == (
        "deployments 'bot', 'two' share 127.0.0.1:8123: each needs its own hostname or prefix"
    )
    assert [host.answers(name) for name in ("bot", "two", "three")] == [1, 1, 2]


def test_limits_are_taken_over_in_place(served: Host) -> None:
    since = (served.deployment().settings or {})["since"]
    result = served.converge(bot(), drain_limit=60)
    assert (actions(result), result["changed"]) == (["keep"], True)
    assert served.calls == [("write", "bot/deployment.json")]
    assert (served.deployment().settings or {})["drain_limit"] == 60
    assert (served.deployment().settings or {})["since"] == since


def test_a_unit_that_was_not_enabled(served: Host) -> None:
    served.unit(1).enabled = False
    assert served.converge(bot())["changed"] is True
    assert served.unit(1).enabled


def test_a_proxy_that_lost_its_configuration(served: Host) -> None:
    served.clients.clear()
    served.proxy_loaded = None
    assert served.converge(bot(), check_mode=True)["changed"] is True
    assert served.converge(bot())["changed"] is True
    assert served.answers() == 1


@pytest.mark.parametrize("active", ["inactive", "failed"])
def test_what_is_down_is_started(served: Host, active: str) -> None:
    served.clients.clear()
    served.unit(1).active, served.unit(1).published = active, None
    result = served.converge(bot())
    assert (actions(result), served.answers()) == (["start"], 1)
    assert served.converge(bot())["changed"] is False


# Bad releases


@pytest.mark.parametrize("release", BAD_RELEASES.values(), ids=BAD_RELEASES)
def test_a_bad_release_changes_nothing(served: Host, release: dict[str, str]) -> None:
    served.journal = ["\x1b[31mstart\x1b[0m", f"redis.exceptions.ResponseError: WRONGPASS {SECRET}", f"bye {SECRET}"]
    result = served.converge(bot(environment={**release, "API_KEY": SECRET}))
    (failure,) = result["failures"]
    assert (failure["revision"], failure["serving"], failure["code"]) == (2, 1, "redis_auth")
    assert summarize([failure]) == (
        "revision 2 of deployment 'bot' is not healthy: Redis refused its user, its password or a command; it logged: "
        "redis.exceptions.ResponseError: WRONGPASS ********; revision 1 continues to serve"
    )
    assert failure["log"][0] == "start"
    assert SECRET not in f"{result}{served.file(2, 'outcome.json')}"
    assert served.file(2, "outcome.json")["result"] == "failed"
    assert (served.answers(), served.running(), served.unanswered) == (1, [1], [])
    assert (served.unit(2).active, served.unit(2).enabled) == ("inactive", False)
    served.reboot()
    assert served.running() == [1]


def test_a_failed_revision_is_retried_under_its_number(served: Host) -> None:
    bad = bot(image="bot:2", environment=NEVER_HEALTHY)
    served.converge(bad)
    (again,) = served.converge(bad)["deployments"]
    assert (again["action"], again["revision"]) == ("roll", 2)
    served._healthy = lambda *_revision: True  # type: ignore[method-assign]
    assert served.converge(bad)["failures"] == []
    assert (served.answers(), served.file(2, "outcome.json")["result"]) == (2, "served")


def test_a_failed_revision_is_left_for_another_one(served: Host) -> None:
    served.converge(bot(environment=EXITS))
    assert served.converge(bot())["changed"] is False
    served.converge(bot(image="bot:2"))
    assert served.answers() == 3


def test_one_that_was_enabled_before_the_kill_and_then_fails_is_not_started_at_boot(served: Host) -> None:
    served.kill_at_stage = "enabled"
    with pytest.raises(Killed):
        served.converge(bot(image="bot:2"))
    served._healthy = lambda _name, number: number == 1  # type: ignore[method-assign]
    assert served.converge(bot(image="bot:2"))["failures"]
    served.reboot()
    assert served.running() == [1]


def test_a_first_revision_that_fails(host: Host) -> None:
    (failure,) = host.converge(bot(environment=EXITS))["failures"]
    assert "serving" not in failure
    assert summarize([failure]) == (
        "deployment 'bot' is not healthy: the container exited with code 1; it logged nothing"
    )
    assert (host.deployment().settings, host.running()) == (None, [])
    assert host.converge(bot())["failures"] == []
    assert host.answers() == 2


def test_a_first_revision_that_is_tried_again_is_drained_no_more(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.kill_at_stage = "switched"
    with pytest.raises(Killed):
        host.converge(bot())
    with monkeypatch.context() as patch:
        patch.setattr(host, "_healthy", lambda *_revision: False)
        assert host.converge(bot())["failures"]
    assert host.draining() == [1]
    assert host.converge(bot())["failures"] == []
    host.finish_drains()
    assert (host.answers(), host.running()) == (1, [1])


def test_one_bad_release_does_not_hold_up_the_others(host: Host) -> None:
    result = host.converge(bot(), bot("two", port=8124, environment=EXITS), bot("three", port=8125))
    assert [failure["name"] for failure in result["failures"]] == ["two"]
    assert [host.answers(name) for name in ("bot", "two", "three")] == [1, None, 1]


def test_a_proxy_that_refuses(served: Host) -> None:
    served.proxy_refuses = "HAProxy rejects the configuration; nothing was changed: line 7"
    (failure,) = served.converge(bot(image="bot:2"))["failures"]
    assert summarize([failure]).startswith("revision 2 of deployment 'bot': HAProxy rejects the")
    assert summarize([failure]).endswith("; revision 1 continues to serve")
    assert (served.answers(), served.running(), served.unanswered) == (1, [1], [])
    assert (served.unit(2).enabled, served.deployment().settings["serving"]) == (False, 1)  # type: ignore[index]
    served.proxy_refuses = None
    assert served.converge(bot(image="bot:2"))["failures"] == []
    assert served.answers() == 2


def test_a_proxy_that_refuses_another_address(served: Host) -> None:
    served.strangers = {8124: "nginx"}
    (failure,) = served.converge(bot(port=8124))["failures"]
    assert (failure["code"], failure["cause"]) == ("proxy", "the proxy cannot listen on port 8124")
    assert (served.deployment().settings or {})["port"] == 8123
    assert served.unanswered == []


def test_a_full_disk_stops_nobody(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    host.converge(bot(), bot("two", port=8124))

    def full(_handle: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(RolloutError, match="No space left on device; free some space"):
        patch.setattr(store.os, "fsync", full)
        host.converge(bot(image="bot:2"), bot("two", port=8124))
    assert host.calls == []
    assert (host.answers("bot"), host.answers("two")) == (1, 1)
    assert actions(host.converge(bot(image="bot:2"), bot("two", port=8124))) == ["roll", "keep"]
    assert host.answers("bot") == 2


# Kills


@pytest.mark.parametrize("stage", FAILPOINTS)
@pytest.mark.parametrize("lists", [[bot()], [bot(image="bot:2", port=8124)]], ids=["create", "roll"])
def test_killed_at_a_stage(host: Host, stage: str, lists: list[dict[str, t.Any]]) -> None:
    if lists[0]["image"] == "bot:2":
        host.converge(bot())
        host.clients = {"bot"}
    host.kill_at_stage = stage
    with pytest.raises(Killed):
        host.converge(*lists)
    assert host.converge(*lists)["failures"] == []
    assert host.unanswered == []
    serving = (host.deployment().settings or {})["serving"]
    assert set(host.running()) - set(host.draining()) == {serving} == {host.answers()}
    assert host.converge(*lists)["changed"] is False


@pytest.mark.parametrize("stage", FAILPOINTS)
def test_killed_and_rebooted(served: Host, stage: str) -> None:
    """What the proxy's file names starts at boot, whenever the machine went down."""
    served.kill_at_stage = stage
    with pytest.raises(Killed):
        served.converge(bot(image="bot:2"))
    served.reboot()
    assert served.answers() in (1, 2)
    assert served.converge(bot(image="bot:2"))["failures"] == []
    assert served.answers() == 2
    assert served.unanswered == []


@pytest.mark.parametrize("stage", ["written", "started", "healthy", "enabled", "switched"])
def test_an_interrupted_one_goes_on_under_its_number(served: Host, stage: str) -> None:
    served.kill_at_stage = stage
    with pytest.raises(Killed):
        served.converge(bot(image="bot:2"))
    (service,) = served.converge(bot(image="bot:2"))["deployments"]
    assert (service["action"], service["revision"]) == ("roll", 2)


def test_killed_too_often_for_what_may_run(served: Host) -> None:
    """Strays count among the revisions that run; they must not keep out the one that is wanted for ever."""
    for image in ("bot:2", "bot:3"):
        served.kill_at_stage = "switched"
        with pytest.raises(Killed):
            served.converge(bot(image=image))
    assert served.running() == [1, 2, 3]
    assert served.converge(bot(image="bot:4"))["failures"] == []
    assert served.answers() == 4
    served.finish_drains()
    assert (served.running(), served.unanswered) == ([4], [])


# Without a proxy


def test_without_a_proxy_the_old_one_stops_first(host: Host) -> None:
    host.converge(bot(), proxy="none")
    assert host.unit(1).published == ("127.0.0.1", 8123)
    host.converge(bot(image="bot:2"), proxy="none")
    assert host.calls == [
        ("write", "bot/revisions/2/slot.json"),
        ("stop", "bot.1"),
        ("stop", "drain bot.2"),
        ("rm", "langgraph-bot.2"),
        ("start", "bot.2"),
        ("enable", "bot.2"),
        ("write", "bot/revisions/2/outcome.json"),
        ("write", "bot/deployment.json"),
        ("disable_now", "bot.1"),
        ("rm", "langgraph-bot.1"),
    ]
    assert (host.answers(), host.proxy_file) == (2, None)
    assert host.converge(bot(image="bot:2"), proxy="none")["changed"] is False


@pytest.mark.parametrize("release", BAD_RELEASES.values(), ids=BAD_RELEASES)
def test_without_a_proxy_the_old_one_starts_again(host: Host, release: dict[str, str]) -> None:
    host.converge(bot(), proxy="none")
    (failure,) = host.converge(bot(environment=release), proxy="none")["failures"]
    assert (failure["revision"], failure["serving"]) == (2, 1)
    assert (host.answers(), host.running(), host.unit(1).enabled) == (1, [1], True)


def test_without_a_proxy_ports_are_exchanged_by_stopping_both_first(host: Host) -> None:
    host.converge(bot(), bot("two", port=8124), proxy="none")
    assert actions(host.converge(bot(port=8124), bot("two"), proxy="none")) == ["restart", "restart"]
    assert host.calls[0] == ("stop", "bot.1", "two.1")
    assert (host.answers("bot"), host.answers("two")) == (1, 1)
    assert host.converge(bot(port=8124), bot("two"), proxy="none")["changed"] is False


def test_without_a_proxy_a_stray_lets_go_of_the_port(host: Host) -> None:
    host.converge(bot(), proxy="none")
    host.kill_at_stage = "healthy"
    with pytest.raises(Killed):
        host.converge(bot(image="bot:2"), proxy="none")
    assert host.running() == [2]
    assert host.converge(bot(), proxy="none")["failures"] == []
    assert (host.answers(), host.running()) == (1, [1])


@pytest.mark.parametrize(("before", "after"), [("haproxy", "none"), ("none", "haproxy")])
@pytest.mark.parametrize("changes", [{}, {"image": "bot:2"}], ids=["same", "other image"])
def test_proxy_comes_and_goes(host: Host, before: str, after: str, changes: dict[str, t.Any]) -> None:
    host.converge(bot(), proxy=before)
    result = host.converge(bot(**changes), proxy=after)
    assert (actions(result), result["failures"]) == (["roll" if changes else "restart"], [])
    host.finish_drains()
    assert host.answers() == (2 if changes else 1)
    assert len(host.running()) == 1
    assert host.converge(bot(**changes), proxy=after)["changed"] is False


@pytest.mark.parametrize("reboot", [False, True], ids=["goes on", "reboots"])
@pytest.mark.parametrize("before", ["haproxy", "none"])
def test_killed_before_a_container_moves(host: Host, before: str, reboot: bool) -> None:
    """The file says where it is until it has been stopped."""
    host.converge(bot(), proxy=before)
    host.kill_at_stage = "written"
    with pytest.raises(Killed):
        host.converge(bot(), proxy="none" if before == "haproxy" else "haproxy")
    if reboot:
        host.reboot()
    assert (host.file(1, "slot.json")["port"], host.answers()) == (8000 if before == "haproxy" else 8123, 1)
    assert host.converge(bot(), proxy=before)["changed"] is False


@pytest.mark.parametrize("before", ["haproxy", "none"])
def test_a_restart_that_fails_is_taken_back(host: Host, before: str) -> None:
    host.converge(bot(), proxy=before)
    host.strangers = {8124: "nginx"}
    (failure,) = host.converge(bot(port=8124), proxy="none")["failures"]
    assert (failure["revision"], failure["serving"]) == (1, 1)
    assert (host.answers(), host.running(), (host.deployment().settings or {})["port"]) == (1, [1], 8123)
    assert host.converge(bot(), proxy=before)["changed"] is False


def test_a_port_that_another_has_got_without_the_proxy(host: Host) -> None:
    """two cannot return to the address that bot has now; the other deployments are still loaded into the proxy."""
    host.converge(bot(), bot("two", port=8124), bot("three", port=8125))
    (failure,) = host.converge(bot(port=8124, image="bot:2"), bot("two", environment=EXITS), proxy="none")["failures"]
    assert (failure["name"], "serving" in failure) == ("two", False)
    assert host.roll_back(revision=2)["failures"] == host.roll_back("three", revision=1)["failures"] == []
    assert [host.answers(name) for name in ("bot", "two", "three")] == [2, None, 1]
    assert host.converge(bot(), bot("two", port=8124))["failures"] == []
    assert [host.answers(name) for name in ("bot", "two", "three")] == [3, 1, 1]


def test_a_port_that_another_has_without_the_proxy_is_not_given_away(host: Host) -> None:
    host.converge(bot(), proxy="none")
    (failure,) = host.converge(bot("two"))["failures"]
    assert failure["cause"] == "deployment 'two' cannot use port 8123: deployment 'bot' uses it without the proxy"
    assert (host.answers("bot"), host.answers("two")) == (1, None)


def test_a_port_stays_that_of_what_an_interrupted_restart_left_elsewhere(host: Host) -> None:
    host.converge(bot())
    host.kill_at_stage = "enabled"
    with pytest.raises(Killed):
        host.converge(bot(port=8124), proxy="none")
    failures = host.converge(bot(port=8124, environment=EXITS), bot("two"))["failures"]
    assert [(failure["name"], failure["code"]) for failure in failures] == [("bot", "exited"), ("two", "proxy")]
    assert failures[1]["cause"] == (
        "deployments 'bot', 'two' share 127.0.0.1:8123: each needs its own hostname or prefix"
    )
    assert host.converge(bot(port=8124), bot("two"))["failures"] == []
    assert (host.answers("bot"), host.answers("two")) == (1, 1)


def test_a_port_is_kept_for_what_may_have_to_go_back_there(host: Host) -> None:
    """two took bot's port without the proxy, and bot has been going to it ever since: two is put back all the same."""
    wanted = [bot(port=8124, environment=NEVER_HEALTHY), bot("two")]
    host.converge(bot())
    assert [failure["name"] for failure in host.converge(*wanted, proxy="none")["failures"]] == ["bot"]
    failures = host.converge(*wanted)["failures"]
    assert [(failure["name"], failure.get("serving")) for failure in failures] == [("bot", None), ("two", 1)]
    assert (host.answers("bot"), host.answers("two")) == (None, 1)
    assert host.converge(bot(port=8124), bot("two"))["failures"] == []
    assert (host.answers("bot"), host.answers("two")) == (1, 1)


def test_a_stray_in_public_ends_before_the_proxy_is_told_where_nothing_starts(host: Host) -> None:
    host.converge(bot())
    host.kill_at_stage = "enabled"
    with pytest.raises(Killed):
        host.converge(bot(image="bot:2"), proxy="none")
    host.reboot()
    assert host.running() == [1, 2]
    result = host.converge(bot())
    assert (actions(result), result["failures"], host.answers(), host.running()) == (["keep"], [], 1, [1])


@pytest.mark.parametrize("check_mode", [True, False])
def test_a_rollback_is_refused_while_the_stray_of_another_has_its_port(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, check_mode: bool
) -> None:
    # Without threads, so that it is known how far the run got.
    host = install(Host(tmp_path), monkeypatch, one_by_one=True)
    host.converge(bot())
    host.kill_at_stage = "healthy"
    with pytest.raises(Killed):
        host.converge(bot("two"), bot(port=8124, image="bot:2"), proxy="none")
    assert (host.running("bot"), host.running("two")) == ([2], [1])
    with pytest.raises(Refused) as refused:
        host.roll_back(revision=1, check_mode=check_mode)
    assert str(refused.value) == (
        "deployment 'bot', option 'name': an interrupted run left revision 1 of deployment 'two' running on port 8123, and "
        "the proxy needs this port; run the playbook site first, with both deployments in its list"
    )
    assert host.converge(bot(), bot("two", port=8124))["failures"] == []
    assert host.roll_back(revision=1)["failures"] == []


@pytest.mark.parametrize(("before", "after"), [("haproxy", "none"), ("none", "haproxy")])
def test_a_bad_release_with_another_mode_of_the_proxy(host: Host, before: str, after: str) -> None:
    host.converge(bot(), proxy=before)
    (failure,) = host.converge(bot(environment=EXITS), proxy=after)["failures"]
    assert (failure["revision"], failure["serving"]) == (2, 1)
    assert (host.answers(), host.running()) == (1, [1])
    assert host.converge(bot(), proxy=before)["changed"] is False


# Room


def test_a_rollout_waits_while_too_many_run(served: Host) -> None:
    for image in ("bot:2", "bot:3"):
        served.converge(bot(image=image))
    assert served.running() == [1, 2, 3]
    served.converge(bot(image="bot:4"))
    assert (served.clock, served.running(), served.unanswered) == (30, [3, 4], [])


def test_a_drain_that_does_not_end(served: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "finish_drains", lambda: None)
    served.converge(bot(image="bot:2"), max_running_revisions=2)
    (failure,) = served.converge(bot(image="bot:3"), max_running_revisions=2)["failures"]
    assert failure["cause"] == (
        "2 revisions still run, and langgraph_max_running_revisions is 2; "
        "see 'systemctl list-units langgraph-drain@bot.*'"
    )
    assert served.clock > 900 + 180
    assert served.answers() == 2


def test_every_revision_has_an_address_of_its_own(host: Host) -> None:
    """Others on the network have theirs, and what is published on the host matters not at all."""
    host.neighbours, host.strangers = {FIRST}, {8000: "something else"}
    for image in ("bot:1", "bot:2", "bot:3"):
        host.converge(bot(image=image), bot("two", port=8124))
    endpoints = [host.file(number, "slot.json") for number in (1, 2, 3)] + [host.file(1, "slot.json", "two")]
    assert len({FIRST, *(endpoint["address"] for endpoint in endpoints)}) == 5
    assert [(endpoint["port"], endpoint["network"]) for endpoint in endpoints] == [(8000, "langgraph")] * 4


@pytest.mark.parametrize("port", [8000, 30000, 32767])
def test_no_container_takes_a_port_that_a_deployment_is_to_have(host: Host, port: int) -> None:
    """Whatever range it is from, on the first run and with the range full: containers have addresses and take no port."""
    host.strangers = dict.fromkeys(set(range(30000, 32768)) - {port}, "kube-proxy")
    result = host.converge(bot(port=port), bot("two", port=8124))
    assert result["failures"] == []
    assert host.answers() == 1
    assert host.converge(bot(port=port), bot("two", port=8124))["changed"] is False


@pytest.mark.parametrize("port", [30000, 32767])
def test_without_a_proxy_a_container_takes_its_own_public_port_alone(host: Host, port: int) -> None:
    host.strangers = dict.fromkeys(set(range(30000, 32768)) - {port, 30001}, "kube-proxy")
    result = host.converge(bot(port=port), bot("two", port=30001), proxy="none")
    assert result["failures"] == []
    assert [host.file(1, "slot.json", name)["port"] for name in ("bot", "two")] == [port, 30001]


def test_a_small_network_gives_what_stopped_revisions_had(host: Host) -> None:
    """Its upper half has two addresses, and five revisions are kept."""
    host.subnet = "172.29.0.0/29"
    for number in range(1, 6):
        host.converge(bot(image=f"bot:{number}"))
        host.finish_drains()
        assert host.answers() == number
    addresses = [(host.folder / f"bot/revisions/{number}/slot.json").exists() for number in range(1, 6)]
    assert addresses.count(True) == 2
    assert host.roll_back(revision=2)["failures"] == []
    assert host.answers() == 2


def test_no_address_is_free(host: Host) -> None:
    host.subnet, host.neighbours = "172.29.0.0/29", {"172.29.0.5", "172.29.0.6"}
    with pytest.raises(
        RolloutError, match="^no address is free in the upper half of 172.29.0.0/29, the subnet of the net"
    ):
        host.converge(bot())


def test_what_it_may_reach_holds_from_its_start_on(host: Host) -> None:
    host.converge(bot(may_reach=["two", "three", "two"]), bot("two", port=8124))
    assert host.reachable == {"bot.1": ["three", "two"]}
    assert host.converge(bot(may_reach=["three", "two"]), bot("two", port=8124))["changed"] is False


def test_what_it_may_reach_changes_in_place_for_all_that_run(host: Host) -> None:
    host.converge(bot(may_reach=["two"]))
    host.converge(bot(may_reach=["two"], image="bot:2"))
    assert host.reachable == {"bot.1": ["two"], "bot.2": ["two"]}
    result = host.converge(bot(image="bot:2"))
    assert (actions(result), result["deployments"][0]["reasons"]) == (["keep"], ["may_reach"])
    assert (host.reachable, host.running()) == ({}, [1, 2])


def test_a_killed_run_is_made_up_for(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next one has nothing to change, and brings the firewall up to date all the same."""

    def die() -> t.NoReturn:
        raise Killed

    host.converge(bot())
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(firewall, "apply", die)
        host.converge(bot(may_reach=["two"]))
    assert host.reachable == {}
    assert host.converge(bot(may_reach=["two"]))["changed"] is False
    assert host.reachable == {"bot.1": ["two"]}


def test_check_mode_leaves_the_firewall_alone(host: Host) -> None:
    host.converge(bot())
    assert host.converge(bot(may_reach=["two"]), check_mode=True)["changed"] is True
    assert host.reachable == {}


def test_a_record_of_an_earlier_version_is_no_change(host: Host) -> None:
    host.converge(bot())
    path = host.folder / "bot/deployment.json"
    settings = json.loads(path.read_text())
    del settings["may_reach"]
    path.write_text(json.dumps(settings))
    assert host.converge(bot())["changed"] is False


def published_by_an_earlier_version(host: Host, number: int = 1, port: int = 30000) -> None:
    """Have the revision that serves be one that is published on the loopback."""
    endpoint = {"address": "127.0.0.1", "port": port, "healthy_deadline": 300}
    store.write_endpoint(str(host.folder), "bot", number, endpoint)
    host.unit(number).published = ("127.0.0.1", port)
    host.load(proxy_text(rollout_module.read_host(str(host.folder))) or "")


def test_what_an_earlier_version_published_serves_until_it_is_replaced(host: Host) -> None:
    host.converge(bot())
    published_by_an_earlier_version(host)
    host.clients = {"bot"}
    assert host.converge(bot())["changed"] is False
    assert host.converge(bot(port=8200))["failures"] == []
    assert (host.answers(), host.file(1, "slot.json")["port"]) == (1, 30000)
    host.converge(bot(port=8200, image="bot:2"))
    assert (host.answers(), host.file(2, "slot.json")["address"], host.unanswered) == (2, FIRST, [])


def test_what_an_earlier_version_published_starts_there_again(host: Host) -> None:
    """After a crash its unit has not moved, so the play has not either."""
    host.converge(bot())
    published_by_an_earlier_version(host)
    host.unit(1).active, host.unit(1).published = "failed", None
    assert actions(host.converge(bot())) == ["start"]
    assert (host.answers(), host.file(1, "slot.json")["port"]) == (1, 30000)


def test_a_rollback_to_what_an_earlier_version_published(host: Host) -> None:
    host.converge(bot())
    published_by_an_earlier_version(host)
    host.converge(bot(image="bot:2"))
    host.finish_drains()
    assert host.roll_back()["failures"] == []
    assert (host.answers(), host.file(1, "slot.json")["network"]) == (1, "langgraph")


def test_the_newest_are_kept_and_images_that_nobody_needs_go(host: Host) -> None:
    for number in range(1, 6):
        host.converge(bot(image=f"bot:{number}"), bot("two", port=8124, image="bot:2"), keep_revisions=2)
        host.finish_drains()
    assert sorted(path.name for path in (host.folder / "bot/revisions").iterdir()) == ["4", "5"]
    removed = [image for image in ("bot:1", "bot:2", "bot:3", "bot:4", "bot:5") if image not in host.images]
    assert removed == ["bot:1", "bot:3"]
    assert not {"langgraph-bot.1", "langgraph-bot.2", "langgraph-bot.3"} & host.containers


def test_the_serving_one_is_kept_however_old(host: Host) -> None:
    for number in range(1, 5):
        host.converge(bot(image=f"bot:{number}"))
        host.finish_drains()
    host.roll_back(revision=1, keep_revisions=2)
    host.finish_drains()
    assert sorted(path.name for path in (host.folder / "bot/revisions").iterdir()) == ["1", "3", "4"]


# Addresses of both families


@pytest.mark.parametrize("proxy", ["haproxy", "none"])
@pytest.mark.parametrize("address", ["::1", "::", "0.0.0.0"])
def test_addresses_of_both_families(host: Host, address: str, proxy: str) -> None:
    """Created, rolled, moved to another port and back to IPv4; a reboot finds it."""
    for wanted in (
        bot(bind_address=address),
        bot(bind_address=address, image="bot:2"),
        bot(bind_address=address, image="bot:2", port=8125),
        bot(image="bot:2", port=8125),
    ):
        assert host.converge(wanted, proxy=proxy)["failures"] == []
        host.finish_drains()
        assert host.converge(wanted, proxy=proxy)["changed"] is False
        host.reboot()
        serving = host.deployment().serving
        assert serving is not None
        assert host.answers() == serving.number


@pytest.mark.parametrize("proxy", ["haproxy", "none"])
def test_one_port_of_both_families(host: Host, proxy: str) -> None:
    """The loopbacks of IPv4 and IPv6 are two listeners; every address of either takes both."""
    both = [bot(), bot("two", bind_address="::1")]
    assert host.converge(*both, proxy=proxy)["failures"] == []
    assert (host.answers("bot"), host.answers("two")) == (1, 1)
    exchanged = [bot(bind_address="::1"), bot("two")]
    assert host.converge(*exchanged, proxy=proxy)["failures"] == []
    assert (host.deployment().settings or {})["bind_address"] == "::1"
    assert host.converge(*exchanged, proxy=proxy)["changed"] is False
    assert None not in (host.answers("bot"), host.answers("two"))


# Snapshots and drains


def test_a_snapshot_before_another_image(host: Host) -> None:
    host.converge(bot(), snapshot_dir="/dumps")
    (service,) = host.converge(bot(image="bot:2"), snapshot_dir="/dumps")["deployments"]
    assert re.fullmatch(r"/dumps/bot/before-revision-2-\d{8}T\d{6}\.dump", service["snapshot"])
    host.converge(bot(image="bot:2", memory="1g"), snapshot_dir="/dumps")
    assert host.dumps == [service["snapshot"]]


def take(_uri: str, path: str) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Path(path).write_text("dump")


@pytest.mark.parametrize("later", ["the same", "another", None])
def test_a_snapshot_goes_with_its_revision(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: str | None
) -> None:
    """Whatever the option is by then."""
    monkeypatch.setattr(snapshot, "take_snapshot", take)
    first, second = tmp_path / "dumps/first", tmp_path / "dumps/second"
    options: dict[str, t.Any] = {"keep_revisions": 2, "snapshot_dir": str(first)}
    for number in (1, 2, 3):
        host.converge(bot(image=f"bot:{number}"), **options)
        host.finish_drains()
    assert len(list((first / "bot").iterdir())) == 2
    (first / "bot/before-revision-2-of-somebody.dump.gz").touch()
    options["snapshot_dir"] = {"the same": str(first), "another": str(second), None: None}[later]
    for number in (4, 5, 6):
        host.converge(bot(image=f"bot:{number}"), **options)
        host.finish_drains()
    left = {path.name.rpartition("-")[0] for path in first.rglob("*.dump")}
    assert left == ({"before-revision-5", "before-revision-6"} if later == "the same" else set())
    assert [path.name for path in first.rglob("*.gz")] == ["before-revision-2-of-somebody.dump.gz"]


@pytest.mark.parametrize("remove_dumps", [False, True])
@pytest.mark.parametrize("folder", ["the same", None])
def test_a_removal_takes_the_dumps_where_that_is_asked_for(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remove_dumps: bool, folder: str | None
) -> None:
    """By the records of its revisions; the dumps of others stay, and nothing goes in check mode."""
    monkeypatch.setattr(snapshot, "take_snapshot", take)
    dumps = tmp_path / "dumps"
    for number in (1, 2, 3):
        host.converge(
            *(bot(name, port=port, image=f"bot:{number}") for name, port in (("bot", 8123), ("other", 8124))),
            snapshot_dir=str(dumps),
        )
        host.finish_drains()
    (dumps / "bot/by-hand.dump").touch()
    options = {"remove_dumps": remove_dumps, "snapshot_dir": folder and str(dumps)}
    gone = {"name": "bot", "state": "absent"}
    host.converge(gone, check_mode=True, **options)
    assert len(list(dumps.rglob("before-*"))) == 4
    host.converge(gone, **options)
    assert len(list((dumps / "bot").glob("before-*"))) == (0 if remove_dumps else 2)
    assert len(list((dumps / "other").iterdir())) == 2
    assert (dumps / "bot/by-hand.dump").exists()


def replace_by_a_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


def replace_by_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def give_away(path: Path) -> None:
    os.chown(path, 65534, 65534)


NO_DUMPS = {"a link": replace_by_a_link, "a folder": replace_by_a_folder, "another user's": give_away}


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("change", NO_DUMPS.values(), ids=NO_DUMPS)
def test_what_is_no_dump_of_ours_is_not_removed(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: t.Callable[[Path], None]
) -> None:
    monkeypatch.setattr(snapshot, "take_snapshot", take)
    for number in (1, 2):
        host.converge(bot(image=f"bot:{number}"), snapshot_dir=str(tmp_path / "dumps"))
        host.finish_drains()
    (dump,) = (tmp_path / "dumps/bot").iterdir()
    change(dump)
    for number in (3, 4, 5):
        host.converge(bot(image=f"bot:{number}"), keep_revisions=1)
        host.finish_drains()
    assert not (host.folder / "bot/revisions/2").exists()
    assert dump.is_symlink() or dump.exists()


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "DUMPS/bot/before-revision-3-x.dump", "DUMPS/two/before-revision-2-x.dump", "DUMPS/bot/x.dump"],
)
def test_a_record_that_was_changed_removes_nothing_else(tmp_path: Path, path: str) -> None:
    path = path.replace("DUMPS", str(tmp_path))
    if path != "/etc/passwd":
        Path(path).parent.mkdir()
        Path(path).touch()
    store.remove_snapshot(path, "bot", 2)
    assert Path(path).exists()


@pytest.mark.parametrize("proxy", ["haproxy", "none"])
def test_a_snapshot_that_fails_is_a_failure_of_that_deployment(
    host: Host, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    def refuse(_uri: str, _path: str) -> None:
        raise snapshot.SnapshotError("no space left")

    host.converge(bot(), bot("two", port=8124), proxy=proxy)
    monkeypatch.setattr(snapshot, "take_snapshot", refuse)
    wanted = (bot(image="bot:2"), bot("two", port=8124, memory="1g"))
    (failure,) = host.converge(*wanted, proxy=proxy, snapshot_dir="/dumps")["failures"]
    assert (failure["name"], failure["serving"]) == ("bot", 1)
    assert failure["cause"] == "the snapshot before the rollout failed: no space left"
    assert summarize([failure]).startswith("revision 2 of deployment 'bot': the snapshot before the rollout failed")
    assert (host.answers("bot"), host.answers("two")) == (1, 2)


def test_the_module_may_wait_for_the_drain(served: Host) -> None:
    (service,) = served.converge(bot(image="bot:2"), wait_for_drain=True)["deployments"]
    assert service["runs"]["drained"] == {1: {"known": True, "in_flight": 0, "after": {}, "lost": []}}
    assert served.running() == [2]


def test_lost_runs_fail_what_waits_for_the_drain(served: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    drain = {1: {"runs": {"known": True, "lost": ["run-1", "run-2"]}}}
    monkeypatch.setattr(store, "read_drains", lambda *_arguments: drain)
    (failure,) = served.converge(bot(image="bot:2"), wait_for_drain=True)["failures"]
    assert (failure["code"], failure["cause"]) == ("lost_runs", "2 runs were lost: run-1, run-2")
    assert served.answers() == 2


# Away


def test_remove_twice(host: Host) -> None:
    host.converge(bot(), bot("two", port=8124))
    host.converge(bot(image="bot:2"), bot("two", port=8124))
    result = host.converge(GONE)
    assert (actions(result), result["failures"]) == (["remove"], [])
    assert host.calls == [
        ("proxy",),
        ("stop", "drain bot.1", "drain bot.2"),
        ("disable_now", "bot.1", "bot.2"),
        ("rm", "langgraph-bot.1"),
        ("rm", "langgraph-bot.2"),
    ]
    assert [path.name for path in host.folder.iterdir()] == ["two"]
    assert host.converge(GONE)["changed"] is False
    assert host.answers("two") == 1


@pytest.mark.parametrize("touch", range(1, 6))
def test_remove_is_finished_after_a_kill(served: Host, touch: int) -> None:
    served.clients.clear()
    served.kill_at_touch = touch
    with pytest.raises(Killed):
        served.converge(GONE)
    assert actions(served.converge(GONE)) == ["remove"]
    assert (list(served.folder.iterdir()), served.running(), served.containers) == ([], [], set())


def test_what_is_half_removed_gets_no_clients(host: Host) -> None:
    host.converge(bot(), bot("two", port=8124))
    host.kill_at_touch = 5
    with pytest.raises(Killed):
        host.converge(GONE)
    assert host.calls[-2:] == [("disable_now", "bot.1"), ("rm", "langgraph-bot.1")]
    assert host.converge(bot(image="bot:2"), {**GONE, "name": "two"})["failures"] == []
    assert (host.answers(), host.lost_at_boot) == (2, [])


def test_files_without_a_revision_are_removed_too(host: Host) -> None:
    """A full disk cut a first run short: there may be half an environment."""
    (host.folder / "bot/revisions/.new").mkdir(parents=True)
    (host.folder / "bot/revisions/.new/environment").write_text(SECRET)
    assert actions(host.converge(GONE)) == ["remove"]
    assert list(host.folder.iterdir()) == []
    assert host.converge(GONE)["changed"] is False


# Stopped


def test_stopped_and_started_again(host: Host) -> None:
    """Its revisions stay, its port is free meanwhile, and the same revision starts again with the current credentials."""
    host.converge(bot(), bot("two", port=8124))
    host.converge(bot(image="bot:2"), bot("two", port=8124))
    predicted = host.converge(STOPPED, check_mode=True)
    result = host.converge(STOPPED)
    assert (actions(result), result["failures"]) == (["stop"], [])
    assert predicted["deployments"] == result["deployments"]
    assert host.calls == [
        ("proxy",),
        ("write", "bot/deployment.json"),
        ("stop", "drain bot.1", "drain bot.2"),
        ("disable_now", "bot.1", "bot.2"),
        ("rm", "langgraph-bot.1"),
        ("rm", "langgraph-bot.2"),
    ]
    stopped = host.deployment()
    assert [revision.number for revision in stopped.revisions] == [1, 2]
    assert (stopped.serving, stopped.last and stopped.last.number) == (None, 2)
    assert stopped.stopped
    assert set(stopped.stopped) == {"by", "at"}
    assert (host.answers(), host.answers("two"), host.running()) == (None, 1, [])
    assert host.converge(STOPPED)["changed"] is False
    host.reboot()
    assert (host.answers(), host.answers("two")) == (None, 1)
    # Another deployment may have its port.
    assert host.converge(bot("three", port=8123))["failures"] == []
    assert host.converge({**STOPPED, "name": "three"})["failures"] == []
    started = host.converge(bot(image="bot:2", credentials=ROTATED))
    assert (actions(started), started["failures"]) == (["start"], [])
    assert started["deployments"][0]["reasons"] == ["was stopped"]
    assert (host.answers(), host.unit(2).made_with) == (2, ROTATED)
    assert host.deployment().stopped is None
    assert host.converge(bot(image="bot:2", credentials=ROTATED))["changed"] is False


def test_stopped_and_started_with_other_content(served: Host) -> None:
    served.clients.clear()
    served.converge(STOPPED)
    result = served.converge(bot(image="bot:2"))
    assert (actions(result), result["failures"]) == (["create"], [])
    assert result["deployments"][0]["reasons"][:2] == ["was stopped", "image_id"]
    assert (served.answers(), [revision.number for revision in served.deployment().revisions]) == (2, [1, 2])


@pytest.mark.parametrize("where", [*range(1, 5), *STOP_FAILPOINTS])
@pytest.mark.parametrize("then", ["stopped", "present", "rotated"])
def test_a_stop_is_finished_or_undone_after_a_kill(served: Host, where: str | int, then: str) -> None:
    served.clients.clear()
    served.kill_at_stage = where if isinstance(where, str) else None
    served.kill_at_touch = where if isinstance(where, int) else None
    with pytest.raises(Killed):
        served.converge(STOPPED)
    if then == "stopped":
        assert served.converge(STOPPED)["failures"] == []
        assert (served.answers(), served.running()) == (None, [])
        assert served.converge(STOPPED)["changed"] is False
    elif then == "rotated":
        assert served.converge(bot(credentials=ROTATED))["failures"] == []
        served.clients.clear()
        served.finish_drains()
        (running,) = served.running()
        assert (served.answers(), served.unit(running).made_with) == (running, ROTATED)
        assert served.converge(bot(credentials=ROTATED))["changed"] is False
    else:
        assert served.converge(bot())["failures"] == []
        assert (served.answers(), served.running()) == (1, [1])
        assert served.converge(bot())["changed"] is False


def test_a_stopped_deployment_that_does_not_start_stays_stopped(served: Host) -> None:
    served.clients.clear()
    served.converge(STOPPED)
    result = served.converge(bot(credentials={**ROTATED, **EXITS}))
    assert [failure["name"] for failure in result["failures"]] == ["bot"]
    assert (served.running(), [item.enabled for item in served.deployment().revisions]) == ([], [False])
    assert served.deployment().stopped
    assert served.converge(bot())["failures"] == []
    assert served.answers() == 1


def test_a_stopped_deployment_keeps_its_revisions_whatever_is_kept(host: Host) -> None:
    """Also one that drained when it was stopped, and was therefore still there."""
    for number in range(1, 4):
        host.converge(bot(image=f"bot:{number}"))
    host.converge(STOPPED)
    for _again in range(2):
        assert host.converge(STOPPED, keep_revisions=1)["changed"] is False
        assert [revision.number for revision in host.deployment().revisions] == [1, 2, 3]


def test_what_never_ran_is_not_stopped(host: Host) -> None:
    result = host.converge(STOPPED)
    assert (actions(result), result["changed"]) == (["keep"], False)


def test_a_stopped_deployment_is_not_rolled_back(served: Host) -> None:
    served.clients.clear()
    served.converge(bot(image="bot:2"))
    served.converge(STOPPED)
    with pytest.raises(Refused, match="it is stopped; set 'state: present' and run the playbook site, then roll back"):
        served.roll_back()


def test_a_stopped_deployment_can_be_removed(served: Host) -> None:
    served.clients.clear()
    served.converge(STOPPED)
    assert actions(served.converge(GONE)) == ["remove"]
    assert list(served.folder.iterdir()) == []


# Back


@pytest.fixture
def rolled(served: Host) -> Host:
    """Revision 1 ended, 2 failed, 3 serves."""
    served.converge(bot(image="bot:2", environment=EXITS))
    served.converge(bot(image="bot:3"))
    served.finish_drains()
    return served


def test_rollback(rolled: Host) -> None:
    check = rolled.roll_back(check_mode=True)
    result = rolled.roll_back()
    assert told(check) == told(result)
    (service,) = result["deployments"]
    assert (service["action"], service["revision"], service["reasons"]) == ("roll", 1, ["rollback from revision 3"])
    assert (rolled.answers(), rolled.draining(), rolled.unanswered) == (1, [3], [])
    rolled.finish_drains()
    assert rolled.roll_back(revision=1)["changed"] is False
    (forward,) = rolled.converge(bot(image="bot:3"))["deployments"]
    assert (forward["action"], forward["revision"]) == ("roll", 4)


def test_rollback_to_a_revision_that_is_being_drained(served: Host) -> None:
    served.converge(bot(image="bot:2"))
    assert served.draining() == [1]
    assert served.roll_back()["failures"] == []
    served.finish_drains()
    assert (served.answers(), served.running(), served.unit(1).enabled) == (1, [1], True)
    assert served.unanswered == []


def test_rollback_keeps_the_address(served: Host) -> None:
    served.converge(bot(image="bot:2", port=8124))
    served.roll_back()
    assert (served.deployment().settings or {})["port"] == 8124
    assert (served.answers(), served.unanswered) == (1, [])


def test_rollback_that_fails(rolled: Host) -> None:
    """It is no mark against a revision that has served: the next attempt may succeed."""
    rolled._healthy = lambda _name, number: number != 1  # type: ignore[method-assign]
    (failure,) = rolled.roll_back()["failures"]
    assert (failure["revision"], failure["serving"], rolled.answers(), rolled.running()) == (1, 3, 3, [3])
    del rolled._healthy  # type: ignore[method-assign]
    assert rolled.roll_back()["failures"] == []
    assert rolled.answers() == 1


def test_rollback_on_a_host_without_the_deployment(rolled: Host) -> None:
    result = rolled.roll_back("other")
    # What the host's revisions have in use is reported all the same.
    assert "bot" in str(result.pop("carried"))
    assert result == {"changed": False, "deployments": [], "failures": [], "diff": []}


@pytest.mark.parametrize(
    ("before", "now", "refused"), [("", "2", True), ("1", "2", True), ("1", "1", False), ("1", "", False)]
)
def test_rollback_over_another_aes_key(host: Host, before: str, now: str, refused: bool) -> None:
    """What the key of today has encrypted is not given to a server that cannot read it."""
    for image, key in (("bot:1", before), ("bot:2", now)):
        host.converge(bot(image=image, environment={"LANGGRAPH_AES_KEY": key} if key else {"A": "1"}))
        host.finish_drains()
    if not refused:
        assert host.roll_back()["failures"] == []
        return
    with pytest.raises(Refused) as info:
        host.roll_back()
    assert str(info.value).startswith(
        OPTION + "revision 1 has a different langgraph_aes_key from the serving one, or none, so"
    )
    assert host.answers() == 2


def lose_the_image(host: Host) -> None:
    del host.images["bot:1"]


def edit_by_hand(host: Host) -> None:
    (host.folder / "bot/revisions/1/environment").write_text("API_KEY=planted\n")


def move_the_schema(host: Host) -> None:
    host.schema = "19"


def move_the_schema_by_one(host: Host) -> None:
    host.schema = "17"


def hide_the_schema(host: Host) -> None:
    host.schema = None


def stop_recording(host: Host) -> None:
    (host.folder / "bot/deployment.json").unlink()


def nothing(_host: Host) -> None:
    """Leave it as it is."""


OPTION = "deployment 'bot', option 'revision': "
SCHEMA = OPTION + "the database schema has changed since revision 1, "
ANYWAY = "deploy a corrected image, or, if the older code works with the newer schema, -e allow_schema_mismatch=true rolls back anyway"
REFUSALS: dict[str, tuple[t.Callable[[Host], None], int | None, str]] = {
    "no such revision": (
        nothing,
        7,
        OPTION + "there is no revision 7; choose a kept revision that has served: 1, 3",
    ),
    "failed": (
        nothing,
        2,
        OPTION + "revision 2 has never served; choose a kept revision that has served: 1, 3",
    ),
    "changed by hand": (
        edit_by_hand,
        1,
        OPTION + "the files of revision 1 were changed by hand; choose another revision",
    ),
    "image gone": (
        lose_the_image,
        None,
        OPTION
        + "the host no longer has the image of revision 1, 'bot:1' (sha256:1); load or pull the same image first: a new build has another id",
    ),
    "schema moved": (
        move_the_schema,
        None,
        SCHEMA
        + "from 16 to 19 (migrations 17, 18, 19), and migrations cannot be reverted; there is no snapshot from before it "
        "(langgraph_snapshot_dir takes one); " + ANYWAY,
    ),
    "schema moved by one": (
        move_the_schema_by_one,
        None,
        SCHEMA + "from 16 to 17 (migration 17), and migrations cannot be reverted; there is no snapshot from before it "
        "(langgraph_snapshot_dir takes one); " + ANYWAY,
    ),
    "schema not known": (
        hide_the_schema,
        None,
        SCHEMA
        + "from 16 to unknown (what was migrated since is not known), and migrations cannot be reverted; there is no snapshot "
        "from before it (langgraph_snapshot_dir takes one); " + ANYWAY,
    ),
    "serves nothing": (
        stop_recording,
        None,
        "deployment 'bot', option 'name': it has no serving revision; run the playbook site first",
    ),
}


@pytest.mark.parametrize(("change", "revision", "message"), REFUSALS.values(), ids=REFUSALS)
def test_rollback_is_refused(
    rolled: Host, change: t.Callable[[Host], None], revision: int | None, message: str
) -> None:
    change(rolled)
    for check_mode in (True, False):
        with pytest.raises(Refused) as refused:
            rolled.roll_back(revision=revision, check_mode=check_mode)
        assert str(refused.value) == message
    assert rolled.calls == []


def test_there_is_nothing_to_go_back_to(served: Host) -> None:
    with pytest.raises(Refused) as refused:
        served.roll_back()
    assert str(refused.value) == OPTION + "no revision below 1 has served; choose a kept revision that has served: 1"


def test_a_schema_that_was_never_known_is_not_the_same(host: Host) -> None:
    host.schema = None
    host.converge(bot())
    host.converge(bot(image="bot:2"))
    with pytest.raises(Refused, match=r"from unknown to unknown \(what was migrated since is not known\)"):
        host.roll_back()


def test_rollback_across_a_schema(rolled: Host, tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    created = re.sub(r"[-:]|\+.*", "", rolled.file(3, "revision.json")["created"])
    dump = tmp_path / f"bot/before-revision-3-{created}.dump"
    dump.write_text("")
    rolled.schema = "17"
    with pytest.raises(Refused, match=f"the snapshot taken before it is {dump}; restoring it loses all later writes"):
        rolled.roll_back(snapshot_dir=str(tmp_path))
    assert rolled.roll_back(allow_schema_mismatch=True)["failures"] == []
    assert rolled.answers() == 1


def test_a_snapshot_is_offered_wherever_it_is(served: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The option has changed since."""
    monkeypatch.setattr(snapshot, "take_snapshot", take)
    served.converge(bot(image="bot:2"), snapshot_dir=str(tmp_path / "dumps"))
    served.schema = "17"
    with pytest.raises(Refused, match=f"the snapshot taken before it is {tmp_path}/dumps/bot/before-revision-2-"):
        served.roll_back()


# The module around it


class Exit(Exception):
    """A module that ended; ``result`` is its result."""

    def __init__(self, result: dict[str, t.Any]) -> None:
        super().__init__()
        self.result = result


def run(function: t.Callable[..., dict[str, t.Any]], *, diff: bool = False) -> dict[str, t.Any]:
    def end(**result: t.Any) -> t.NoReturn:
        raise Exit(result)

    module = SimpleNamespace(params={}, check_mode=False, _diff=diff, exit_json=end)
    module.fail_json = lambda **result: end(failed=True, **result)
    with pytest.raises(Exit) as ended:
        rollout_module.run_module(t.cast(t.Any, module), function)
    return ended.value.result


RESULT: dict[str, t.Any] = {"changed": True, "deployments": [], "failures": [], "diff": [{"before": ""}]}


def test_the_diff_is_told_where_it_is_asked_for() -> None:
    assert run(lambda *_a, **_k: {**RESULT}) == {"changed": True, "deployments": []}
    assert run(lambda *_a, **_k: {**RESULT}, diff=True)["diff"] == [{"before": ""}]


def test_failures_are_told_in_one_line_a_deployment() -> None:
    common = {"revision": 2, "code": "exited", "cause": "it broke", "line": "", "serving": 1}
    failures = [{"name": name, **common} for name in ("a", "b")]
    result = run(lambda *_a, **_k: {**RESULT, "failures": failures})
    assert result["failed"] is True
    assert result["failures"] == failures
    assert result["msg"].splitlines() == [
        "revision 2 of deployment 'a' is not healthy: it broke; it logged nothing; revision 1 continues to serve",
        "revision 2 of deployment 'b' is not healthy: it broke; it logged nothing; revision 1 continues to serve",
    ]


@pytest.mark.parametrize(
    "error",
    [docker_engine.EngineError, systemd.SystemdError, reload.ProxyError, RolloutError, lock.LockedError],
)
def test_what_can_go_wrong_is_told_in_its_own_words(error: type[Exception]) -> None:
    def refuse(*_arguments: t.Any, **_more: t.Any) -> t.NoReturn:
        raise error("what went wrong")

    assert run(refuse) == {"failed": True, "msg": "what went wrong"}


def test_a_refusal_returns_its_problems() -> None:
    problem = Problem("bot", "image", "the host has no image 'bot:1'", "load or pull it first")

    def refuse(*_arguments: t.Any, **_more: t.Any) -> t.NoReturn:
        raise Refused([problem])

    assert run(refuse) == {"failed": True, "msg": str(problem), "problems": [problem.as_dict()]}


def test_a_disk_that_is_full_or_broken_is_told_in_one_line() -> None:
    def break_down(*_arguments: t.Any, **_more: t.Any) -> t.NoReturn:
        raise OSError(5, "Input/output error", "/etc/langgraph/bot")

    told = "the host's files cannot be read or written: [Errno 5] Input/output error: '/etc/langgraph/bot'"
    assert run(break_down) == {"failed": True, "msg": told}


def test_files_that_are_no_deployments(host: Host) -> None:
    host.converge(bot())
    (host.folder / "lost+found").mkdir()
    (host.folder / "-n").mkdir()
    (host.folder / "notes").write_text("")
    (host.folder / "bot/revisions/.new").mkdir()
    (host.folder / "bot/revisions/notes").mkdir()
    assert list(rollout_module.read_host(str(host.folder))) == ["bot"]
    assert [revision.number for revision in host.deployment().revisions] == [1]
    assert rollout_module.read_host("/no/such/folder") == {}


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps("text")])
def test_a_record_that_was_cut_short(served: Host, text: str) -> None:
    (served.folder / "bot/revisions/1/revision.json").write_text(text)
    assert actions(served.converge(bot())) == ["roll"]
    assert (served.answers(), served.unanswered) == (2, [])


def test_one_run_at_a_time(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    held = []

    def try_to_lock(_uri: str | None) -> None:
        with open(lock.LOCK, "w") as file, pytest.raises(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        held.append(True)

    monkeypatch.setattr(_schema, "read", try_to_lock)
    host.converge(bot())
    assert held
    assert Path(lock.LOCK).read_text() == ""
    with open(lock.LOCK, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


# Variables that are refused


@pytest.mark.parametrize("option", ["environment", "credentials"])
def test_a_variable_that_would_be_two_is_refused_without_its_value(host: Host, option: str) -> None:
    with pytest.raises(Refused) as refused:
        host.converge(bot(**{option: {"TOKEN": f"{SECRET}\nPATH=/planted", f"X={SECRET}": "1"}}))
    assert str(refused.value) == (
        f"deployment 'bot', option '{option}.TOKEN': has a line break; the engine's environment file cannot contain one: "
        "encode it, for example as base64\n"
        f"deployment 'bot', option '{option}.X': is not the name of a variable; use letters, digits and underscores"
    )
    assert host.calls == []


def test_an_environment_that_is_no_mapping_is_refused_without_it(host: Host) -> None:
    with pytest.raises(Refused) as refused:
        host.converge({**bot(), "environment": f"API_KEY={SECRET}\n"})
    assert str(refused.value) == (
        "deployment 'bot', option 'environment': is not a mapping of names to values; write NAME: value"
    )


def test_numbers_and_booleans_are_written_as_the_server_reads_them(host: Host) -> None:
    host.converge(bot(environment={"LOG_JSON": True, "N_JOBS_PER_WORKER": 5}))
    assert (host.folder / "bot/revisions/1/environment").read_text() == "LOG_JSON=true\nN_JOBS_PER_WORKER=5\n"
