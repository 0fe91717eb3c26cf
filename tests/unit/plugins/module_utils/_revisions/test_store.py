# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of deployments and revisions: what is written completely, and what a killed run leaves."""

from __future__ import annotations

import json
import os
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables, render
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.systemd import UnitState
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store

RECORD = {"number": 1, "image": "bot:1", "arguments": [], "drain_seconds": 5}
OLD, NEW = {"REDIS_URI": "redis://bot:one@r/1"}, {"REDIS_URI": "redis://bot:two@r/1"}


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a host on which revision 1 of 'bot' serves, and nothing is running."""
    monkeypatch.setattr(store.systemd, "instance_states", states())
    store.write_revision(str(tmp_path), "bot", RECORD, {"A": "1"})
    store.write_settings(str(tmp_path), {"bot": {"serving": 1}})
    return tmp_path


def states(**active: str) -> t.Callable[[t.Sequence[str]], dict[str, UnitState]]:
    """Return the states of units; the names of their instances have '_' for '@', '-' and '.'."""

    def read(units: t.Sequence[str]) -> dict[str, UnitState]:
        return {unit: state(unit) for unit in units}

    def state(unit: str) -> UnitState:
        key = unit.removesuffix(".service").replace("@", "_").replace("-", "_").replace(".", "_")
        found = active.get(key, "inactive")
        return UnitState(found, found == "active", "success", 0)

    return read


def files(directory: Path) -> set[str]:
    return {str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file()}


def test_a_written_revision_is_read_back(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    directory = config / "bot/revisions/1"
    store.write_outcome(str(config), "bot", 1, {"result": "served"})
    store.write_endpoint(str(config), "bot", 1, {"port": 8000})
    store.write_snapshot(str(config), "bot", 1, "/dumps/1")
    monkeypatch.setattr(
        store.systemd, "instance_states", states(langgraph_bot_1="active", langgraph_drain_bot_1="activating")
    )
    deployment = store.read(str(config), ["bot"])["bot"]
    (revision,) = deployment.revisions
    assert (deployment.settings, deployment.credentials_file) == ({"serving": 1}, None)
    assert (revision.number, revision.record, revision.environment) == (1, RECORD, {"A": "1"})
    assert (revision.outcome, revision.endpoint, revision.snapshot) == (
        {"result": "served"},
        {"port": 8000},
        "/dumps/1",
    )
    assert (revision.active, revision.enabled, revision.draining) == ("active", True, True)
    assert {oct(path.stat().st_mode & 0o777) for path in directory.iterdir()} == {"0o600"}
    assert {oct(path.stat().st_mode & 0o777) for path in (directory, directory.parent, config / "bot")} == {"0o700"}


@pytest.mark.parametrize(
    ("active", "drains"), [("active", True), ("activating", True), ("failed", False), ("inactive", False)]
)
def test_a_drain_runs_while_its_unit_does(
    config: Path, monkeypatch: pytest.MonkeyPatch, active: str, drains: bool
) -> None:
    monkeypatch.setattr(store.systemd, "instance_states", states(langgraph_drain_bot_1=active))
    assert store.read(str(config), ["bot"])["bot"].revisions[0].draining == drains


def test_names_and_numbers_are_sorted_and_strangers_left_out(config: Path) -> None:
    for name in ("zed", "able", "Not-a-name", ".hidden"):
        (config / name).mkdir()
    (config / "file").write_text("")
    assert store.deployment_names(str(config)) == ["able", "bot", "zed"]
    assert store.deployment_names(str(config / "missing")) == []
    for number in ("10", "9", ".new", "x"):
        (config / "bot/revisions" / number).mkdir()
    assert [revision.number for revision in store.read(str(config), ["bot"])["bot"].revisions] == [1, 9, 10]
    assert store.read(str(config), ["able"])["able"].revisions == ()


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", "3"])
def test_a_file_that_a_full_disk_cut_short_is_missing(config: Path, text: str) -> None:
    (config / "file.json").write_text(text)
    assert store.read_json(str(config / "file.json")) is None
    assert store.read_json(str(config / "missing.json")) is None
    assert store.read_json(str(config / "file.json/below")) is None


def test_bytes_that_somebody_wrote_are_read(config: Path) -> None:
    (config / "bot/revisions/1/environment").write_bytes(b"A=\xff\n")
    assert store.read(str(config), ["bot"])["bot"].revisions[0].environment == {"A": "\ufffd"}


def test_a_revision_exists_completely_or_not_at_all(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = store._write

    def full(path: str, text: str) -> None:
        if path.endswith("environment"):
            raise OSError("disk is full")
        write(path, text)

    before = files(config)
    monkeypatch.setattr(store, "_write", full)
    with pytest.raises(OSError, match="full"):
        store.write_revision(str(config), "bot", {**RECORD, "number": 2}, {"A": "2"})
    assert files(config) == before
    assert not (config / "bot/revisions/.new").exists()


def test_remains_of_a_killed_run_are_replaced(config: Path) -> None:
    for directory in (".new", "2"):
        (config / "bot/revisions" / directory).mkdir()
        (config / "bot/revisions" / directory / "remains").write_text("")
    store.write_revision(str(config), "bot", {**RECORD, "number": 2}, {"A": "2"})
    assert files(config / "bot/revisions/2") == {"revision.json", "environment"}
    assert not (config / "bot/revisions/.new").exists()


def test_files_are_readable_for_people(config: Path) -> None:
    assert (config / "bot/deployment.json").read_text() == '{\n  "serving": 1\n}\n'


# Switches


def switch(config: Path, *names: str) -> store.StagedSwitch:
    """Stage that revision 2 serves in each of these deployments."""
    for name in names:
        (config / name / "revisions/2").mkdir(parents=True, exist_ok=True)
    staged = store.StagedSwitch(str(config))
    for name in names:
        staged.stage_outcome(name, 2, {"result": "served"})
    staged.stage_records({name: {"serving": 2} for name in names})
    return staged


def serving(config: Path, *names: str) -> list[t.Any]:
    return [(item.settings or {}).get("serving") for item in store.read(str(config), names).values()]


def test_nothing_applies_before_the_commit(config: Path) -> None:
    staged = switch(config, "bot", "other")
    assert serving(config, "bot", "other") == [1, None]
    assert not (config / "bot/revisions/2/outcome.json").exists()
    staged.drop()
    assert not [name for name in files(config) if name.endswith(".new")]


@pytest.mark.parametrize("names", [("bot",), ("bot", "other")])
def test_a_commit_applies_to_all_at_once(config: Path, names: tuple[str, ...]) -> None:
    staged = switch(config, *names)
    staged.commit()
    # A run that is killed here has switched.
    assert serving(config, *names) == [2] * len(names)
    assert store.is_half_written(str(config)) == (len(names) > 1)
    staged.finish()
    assert serving(config, *names) == [2] * len(names)
    assert not store.is_half_written(str(config))
    assert not [name for name in files(config) if name.endswith(".new") or name == store.SWITCHED]
    assert json.loads((config / "bot/revisions/2/outcome.json").read_text()) == {"result": "served"}


def test_the_next_run_finishes_a_killed_switch(config: Path) -> None:
    switch(config, "bot", "other").commit()
    store.remove_deployment(str(config), "other")
    store.finish_writing(str(config))
    assert serving(config, "bot") == [2]
    assert not store.is_half_written(str(config))
    # A deployment that was removed meanwhile does not come back.
    assert store.deployment_names(str(config)) == ["bot"]


def test_a_failed_commit_leaves_the_old_records(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    staged = switch(config, "bot", "other")
    replace = os.replace

    def fail(source: str, target: str) -> None:
        if target.endswith(store.SWITCHED):
            raise OSError("broken")
        replace(source, target)

    monkeypatch.setattr(store.os, "replace", fail)
    with pytest.raises(OSError, match="broken"):
        staged.commit()
    assert serving(config, "bot", "other") == [1, None]


def test_several_records_at_once(config: Path) -> None:
    (config / "other").mkdir()
    store.write_settings(str(config), {"bot": {"serving": 7}, "other": {"serving": 8}})
    assert serving(config, "bot", "other") == [7, 8]
    assert store.SWITCHED not in files(config)
    store.remove_settings(str(config), "bot")
    store.remove_settings(str(config), "bot")
    assert serving(config, "bot") == [None]


def test_a_full_disk_shows_before_the_switch(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: str, text: str) -> None:
        Path(path).write_text(text[:1])
        raise OSError("disk is full")

    monkeypatch.setattr(store, "_write", full)
    with pytest.raises(OSError, match="full"):
        store.write_settings(str(config), {"bot": {"serving": 2}})
    assert not [name for name in files(config) if name.endswith(".new")]
    assert serving(config, "bot") == [1]


# Credentials


def current(config: Path) -> Variables | None:
    return store.read(str(config), ["bot"])["bot"].credentials_file


def test_staged_credentials_count_once_their_revision_serves(config: Path) -> None:
    store.stage_credentials(str(config), "bot", OLD)
    store.put_credentials(str(config), "bot")
    assert current(config) == OLD
    store.stage_credentials(str(config), "bot", NEW)
    assert current(config) == OLD
    # The container of the serving revision has been created with them.
    store.write_endpoint(str(config), "bot", 1, {"port": 8000, **_credentials.note(NEW)})
    assert current(config) == NEW


def test_what_a_killed_run_staged_is_committed_or_dropped(config: Path) -> None:
    store.stage_credentials(str(config), "bot", OLD)
    store.put_credentials(str(config), "bot")
    store.stage_credentials(str(config), "bot", NEW)
    store.settle_credentials(str(config), store.read(str(config), ["bot"])["bot"])
    assert (config / "bot/credentials").read_text() == render(OLD)
    assert not (config / "bot/credentials.new").exists()
    store.stage_credentials(str(config), "bot", NEW)
    store.write_endpoint(str(config), "bot", 1, {"port": 8000, **_credentials.note(NEW)})
    store.settle_credentials(str(config), store.read(str(config), ["bot"])["bot"])
    assert (config / "bot/credentials").read_text() == render(NEW)
    assert not (config / "bot/credentials.new").exists()
    store.put_credentials(str(config), "bot")
    store.drop_staged_credentials(str(config), "bot")


@pytest.mark.parametrize(("here", "kept"), [(NEW, None), (None, NEW)])
def test_a_dropped_switch_removes_only_credentials_that_it_staged(
    config: Path, here: Variables | None, kept: Variables | None
) -> None:
    store.stage_credentials(str(config), "bot", NEW)
    staged = store.StagedSwitch(str(config))
    staged.stage_credentials("bot", here)
    staged.drop()
    assert (config / "bot/credentials.new").exists() == (kept is not None)


def test_a_finished_switch_has_the_new_credentials(config: Path) -> None:
    staged = switch(config, "bot")
    staged.stage_credentials("bot", NEW)
    staged.commit()
    staged.finish()
    assert current(config) == NEW


# Endpoints, drains and dumps


def test_a_kept_endpoint_comes_back(config: Path) -> None:
    place = str(config), "bot", 1
    store.keep_endpoint(*place)
    store.restore_endpoint(*place)
    store.write_endpoint(*place, {"port": 1})
    store.keep_endpoint(*place)
    store.keep_endpoint(*place)
    store.write_endpoint(*place, {"port": 2})
    assert store.read(str(config), ["bot"])["bot"].revisions[0].endpoint == {"port": 2}
    store.restore_endpoint(*place)
    assert store.read(str(config), ["bot"])["bot"].revisions[0].endpoint == {"port": 1}
    store.remove_endpoint(*place)
    store.remove_endpoint(*place)
    assert store.read(str(config), ["bot"])["bot"].revisions[0].endpoint is None


def test_a_staged_endpoint_of_a_switch(config: Path) -> None:
    staged = store.StagedSwitch(str(config))
    staged.stage_endpoint("bot", 1, {"port": 3})
    assert store.read(str(config), ["bot"])["bot"].revisions[0].endpoint is None
    staged.commit()
    assert store.read(str(config), ["bot"])["bot"].revisions[0].endpoint == {"port": 3}


def test_reports_of_drains(config: Path) -> None:
    assert store.read_drains(str(config), "bot", [1, 2]) == {}
    (config / "bot/revisions/1/drain.json").write_text('{"runs": 3}')
    assert store.read_drains(str(config), "bot", iter([1, 2])) == {1: {"runs": 3}}
    store.forget_drain(str(config), "bot", 1)
    store.forget_drain(str(config), "bot", 1)
    assert store.read_drains(str(config), "bot", [1]) == {}


@pytest.mark.parametrize(
    ("file", "removed"),
    [
        ("bot/before-revision-1-20261125T100000.dump", True),
        ("bot/before-revision-1-.dump", True),
        ("bot/before-revision-2-20261125T100000.dump", False),
        ("bot/before-revision-11-20261125T100000.dump", False),
        ("other/before-revision-1-20261125T100000.dump", False),
        ("bot/before-revision-1-2026.dump.bak", False),
        ("bot/passwords", False),
    ],
)
def test_only_a_dump_of_that_revision_is_removed(tmp_path: Path, file: str, removed: bool) -> None:
    """The record of its path is a file that somebody may have changed."""
    dump = tmp_path / file
    dump.parent.mkdir()
    dump.write_text("")
    store.remove_snapshot(str(dump), "bot", 1)
    assert dump.exists() != removed
    store.remove_snapshot(str(tmp_path / "bot/before-revision-1-gone.dump"), "bot", 1)


def test_a_link_is_no_dump(tmp_path: Path) -> None:
    (tmp_path / "bot").mkdir()
    (tmp_path / "precious").write_text("")
    link = tmp_path / "bot/before-revision-1-1.dump"
    link.symlink_to(tmp_path / "precious")
    store.remove_snapshot(str(link), "bot", 1)
    assert link.is_symlink()
    assert (tmp_path / "precious").exists()


def test_what_is_removed(config: Path) -> None:
    store.write_revision(str(config), "bot", {**RECORD, "number": 2}, {"A": "2"})
    store.remove_revision(str(config), "bot", 1)
    store.remove_revision(str(config), "bot", 1)
    assert [revision.number for revision in store.read(str(config), ["bot"])["bot"].revisions] == [2]
    assert store.exists(str(config / "bot/deployment.json"))
    store.remove_file(str(config / "bot/deployment.json"))
    assert not store.exists(str(config / "bot/deployment.json"))
    store.remove_deployment(str(config), "bot")
    store.remove_deployment(str(config), "bot")
    assert store.deployment_names(str(config)) == []
