# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a daemon.json that is there, and what an engine that somebody else installed is spared."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import engine_options
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.engine_options import Engine, claimed, merge

PARAMS: dict[str, t.Any] = {"live_restore": True, "registry_mirrors": [], "insecure_registries": [], "options": {}}
SHOP = {"data-root": "/srv/docker", "log-driver": "local", "log-opts": {"max-size": "1g"}, "labels": ["of=shop"]}
INFO: dict[str, t.Any] = {
    "ServerVersion": "28.1.1",
    "LiveRestoreEnabled": False,
    "DockerRootDir": "/srv/docker",
    "Driver": "overlay2",
    "Swarm": {"LocalNodeState": "inactive"},
    "RegistryConfig": {
        "Mirrors": ["https://shop.example.org/"],
        "InsecureRegistryCIDRs": ["127.0.0.0/8"],
        "IndexConfigs": {"docker.io": {"Secure": True}, "shop:5000": {"Secure": False}},
    },
}
ENGINE = Engine("28.1.1", SHOP, info=INFO)


def problems(engine: Engine = ENGINE, **params: t.Any) -> list[str]:
    return list(engine_options.problems({**PARAMS, **params}, engine))


# Versions and command lines


@pytest.mark.parametrize(
    ("text", "version"), [("20.10.24+dfsg1", (20, 10)), ("28.1.1", (28, 1)), ("dev", None), ("", None)]
)
def test_versions(text: str, version: t.Any) -> None:
    assert engine_options.parse_version(text) == version


@pytest.mark.parametrize("version", ["19.03.15", "20.9.1", "1.13", ""])
def test_an_engine_that_is_too_old_is_refused_and_nothing_else_said(version: str) -> None:
    (found,) = problems(replace(ENGINE, version=version, file=None))
    assert f"has version {version or 'unknown'}, but 20.10 or later is required" in found


def test_the_oldest_engine_is_taken() -> None:
    assert problems(replace(ENGINE, version="20.10.0")) == []


SHOWN = (
    "{ path=/usr/bin/dockerd ; argv[]=/usr/bin/dockerd -H fd:// --registry-mirror https://a --registry-mirror=https://b "
    "--live-restore --containerd=/run/containerd/containerd.sock $DOCKER_OPTS ; ignore_errors=no ; start_time=[n/a] }"
)


def test_the_command_line_of_the_unit() -> None:
    command = engine_options.command_of(SHOWN)
    assert (command[0], command[-1]) == ("/usr/bin/dockerd", "--containerd=/run/containerd/containerd.sock")
    assert engine_options.flags_of(command) == {
        "hosts": "fd://",
        "registry-mirrors": "https://b",
        "live-restore": "true",
        "containerd": "/run/containerd/containerd.sock",
    }
    assert engine_options.command_of("") == []


@pytest.mark.parametrize("given", [["--config-file", "/etc/d.json"], ["--config-file=/etc/d.json"], []])
def test_another_file_can_be_tried_with_the_rest_of_the_command_line(given: list[str]) -> None:
    assert engine_options.without_config_file(["-H", "fd://", *given, "--debug"]) == ["-H", "fd://", "--debug"]


# Merging


def test_what_nobody_asked_for_stays() -> None:
    merged, contradictions = merge(SHOP, {"live-restore": True}, [])
    assert (merged, contradictions) == ({**SHOP, "live-restore": True}, [])
    assert list(merged) == [*SHOP, "live-restore"]


def test_a_file_that_has_it_already_is_the_same() -> None:
    file = {"live-restore": True, **SHOP}
    assert merge(file, {"live-restore": True}, [])[0] == file
    assert claimed(file, {"live-restore": True}, []) == {}


def test_another_value_is_a_contradiction_and_stays() -> None:
    merged, contradictions = merge(SHOP, {"log-driver": "journald", "log-opts": {"max-size": "1m", "tag": "x"}}, [])
    assert contradictions == ["log-driver", "log-opts.max-size"]
    assert merged["log-driver"] == "local"


def test_lists_of_registries_are_joined_and_parted_again() -> None:
    file = {"registry-mirrors": ["https://shop"]}
    wanted = {"registry-mirrors": ["https://shop", "https://ours"]}
    merged = merge(file, wanted, [])[0]
    assert merged["registry-mirrors"] == ["https://shop", "https://ours"]
    ours = claimed(file, wanted, [])
    assert ours == {"registry-mirrors": ["https://ours"]}
    assert merge(merged, {"registry-mirrors": []}, [ours])[0] == file


def test_the_last_mirror_leaves_an_empty_list_as_an_engine_takes_it_back_only_then() -> None:
    former = [{"registry-mirrors": ["https://ours"]}]
    assert merge({"registry-mirrors": ["https://ours"]}, {"registry-mirrors": []}, former)[0] == {
        "registry-mirrors": []
    }
    wanted = engine_options.wanted_options(PARAMS, replace(ENGINE, former=former))
    assert wanted == {"live-restore": True, "registry-mirrors": []}


def test_what_was_ours_changes_and_goes() -> None:
    former = [{"log-level": "warn", "debug": True, "features": {"a": True}}]
    file = {"log-level": "warn", "debug": True, "features": {"a": True, "theirs": True}, "labels": ["shop"]}
    merged, contradictions = merge(file, {"log-level": "error"}, former)
    assert contradictions == []
    assert merged == {"log-level": "error", "features": {"theirs": True}, "labels": ["shop"]}


def test_what_somebody_changed_since_is_theirs() -> None:
    former = [{"log-level": "warn"}]
    assert merge({"log-level": "info"}, {}, former)[0] == {"log-level": "info"}
    assert merge({"log-level": "info"}, {"log-level": "warn"}, former)[1] == ["log-level"]


def test_a_run_that_was_killed_between_record_and_file_finds_both_values_its_own() -> None:
    former = [{"log-level": "warn"}, {"log-level": "error"}]
    for there in ("warn", "error"):
        assert merge({"log-level": there}, {"log-level": "debug"}, former) == ({"log-level": "debug"}, [])


def test_live_restore_off_touches_no_engine_that_never_had_ours() -> None:
    off = {**PARAMS, "live_restore": False}
    assert engine_options.wanted_options(off, ENGINE) == {}
    for engine in (replace(ENGINE, ours=True), replace(ENGINE, former=[{"live-restore": True}])):
        assert engine_options.wanted_options(off, engine) == {"live-restore": False}


# What runs


@pytest.mark.parametrize(
    ("wanted", "former", "differ"),
    [
        ({"live-restore": True}, [], ["live-restore"]),
        ({"live-restore": False}, [], []),
        ({"registry-mirrors": ["https://shop.example.org"]}, [], []),
        ({"registry-mirrors": ["https://ours"]}, [], ["registry-mirrors"]),
        ({"registry-mirrors": []}, [{"registry-mirrors": ["https://shop.example.org"]}], ["registry-mirrors"]),
        ({"insecure-registries": ["shop:5000", "127.0.0.0/8"]}, [], []),
        ({"insecure-registries": ["10.0.0.0/8"]}, [], ["insecure-registries"]),
        # The engine reports the network that an address is in.
        ({"insecure-registries": ["127.1.2.3/8"]}, [], []),
        ({"insecure-registries": []}, [{"insecure-registries": ["127.1.2.3/8"]}], ["insecure-registries"]),
        ({"debug": True}, [], []),
    ],
)
def test_what_the_engine_runs_with_is_compared(wanted: t.Any, former: t.Any, differ: list[str]) -> None:
    assert engine_options.runs_without(INFO, wanted, former) == differ


# Refusals


def test_a_stranger_with_the_default_options_is_taken() -> None:
    assert problems() == []


def test_a_contradiction_names_the_variable_and_the_key() -> None:
    (found,) = problems(replace(ENGINE, file={**SHOP, "live-restore": False}))
    assert found.startswith(
        "docker_live_restore: live-restore in /etc/docker/daemon.json on the host has another value"
    )
    (found,) = problems(options={"log-opts": {"max-size": "1m"}})
    assert found.startswith("docker_daemon_options: log-opts.max-size in /etc/docker/daemon.json")


@pytest.mark.parametrize("ours", [True, False])
def test_nobody_loses_the_data_by_an_option(ours: bool) -> None:
    bare = replace(ENGINE, file={}, ours=ours)
    (found,) = problems(bare, options={"data-root": "/mnt/docker"})
    assert "with another data-root the engine would find neither" in found
    (found,) = problems(bare, options={"userns-remap": "default"})
    assert "with another userns-remap" in found


def test_what_the_engine_runs_with_may_be_written_down_by_the_role_that_installed_it() -> None:
    bare = replace(ENGINE, file={}, ours=True)
    assert problems(bare, options={"data-root": "/srv/docker/", "storage-driver": "overlay2"}) == []


def test_an_engine_that_does_not_run_yet_takes_every_option() -> None:
    assert problems(replace(ENGINE, file={}, info=None, ours=True), options={"data-root": "/mnt/docker"}) == []


def test_the_data_of_what_stands_in_the_file_are_safe_even_where_the_engine_stands_still() -> None:
    (found,) = problems(replace(ENGINE, info=None), options={"data-root": "/mnt/docker"})
    assert found.startswith("docker_daemon_options: data-root in")


def test_a_stranger_is_not_restarted() -> None:
    (found,) = problems(options={"debug": True})
    assert "debug takes effect only when the engine restarts, and the role does not restart" in found
    assert problems(replace(ENGINE, ours=True), options={"debug": True}) == []
    assert problems(replace(ENGINE, file={**SHOP, "debug": True}), options={"debug": True}) == []


def test_a_swarm_goes_without_live_restore() -> None:
    swarm = replace(ENGINE, info={**INFO, "Swarm": {"LocalNodeState": "active"}})
    (found,) = problems(swarm)
    assert found.startswith("docker_live_restore: the host's engine is part of a swarm")
    assert problems(swarm, live_restore=False) == []


def test_a_file_that_is_none_is_named() -> None:
    (found,) = problems(replace(ENGINE, file=None))
    assert "/etc/docker/daemon.json on the host is not a JSON object" in found


def test_what_the_command_line_has_is_not_written_a_second_time() -> None:
    flagged = replace(ENGINE, flags=("live-restore",))
    (found,) = problems(flagged)
    assert "docker.service on the host sets live-restore on its command line" in found
    running = replace(flagged, info={**INFO, "LiveRestoreEnabled": True})
    assert problems(running) == []
    assert engine_options.without_flags({"live-restore": True}, running) == {}
