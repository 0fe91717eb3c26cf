# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Addresses and passwords of services, which are no part of a revision: on a faked host."""

from __future__ import annotations

import contextlib
import hashlib
import stat
import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import render
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.failpoints import FAILPOINTS
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Content
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import snapshot
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    EXITS,
    MOVED,
    OLD,
    ROTATED,
    SECRET,
    Host,
    Killed,
    bot,
    variables,
)

OWN = {"API_KEY": SECRET}


@pytest.fixture
def served(host: Host) -> Host:
    """A host with a deployment that clients ask all the time."""
    host.converge(bot(credentials=OLD))
    host.clients = {"bot"}
    return host


def made_with(host: Host, number: int) -> dict[str, str]:
    return host.unit(number).made_with


def file(host: Host) -> dict[str, str]:
    return variables(host.folder / "bot/credentials")


def environment(host: Host, number: int) -> dict[str, str]:
    return variables(host.folder / f"bot/revisions/{number}/environment")


def done(result: dict[str, t.Any]) -> tuple[str, list[str]]:
    step = result["deployments"][0]
    return step["action"], step["reasons"]


def test_credentials_are_apart_from_the_revision(served: Host) -> None:
    assert (file(served), made_with(served, 1)) == (OLD, OLD)
    assert environment(served, 1) == OWN
    assert stat.S_IMODE((served.folder / "bot/credentials").stat().st_mode) == 0o600
    assert not (served.folder / "bot/credentials.new").exists()
    assert {key: served.file(1, "slot.json")[key] for key in _credentials.NOTED} == _credentials.note(OLD)
    assert served.converge(bot(credentials=OLD))["changed"] is False


def test_uris_in_the_environment_are_taken_out_of_it(host: Host) -> None:
    host.converge(bot(environment={**OWN, **OLD}))
    assert (file(host), environment(host, 1)) == (OLD, OWN)
    assert host.converge(bot(credentials=OLD))["changed"] is False


@pytest.mark.parametrize(
    ("new", "reason"), [(ROTATED, "credentials"), (MOVED, "address of Redis")], ids=["rotation", "another address"]
)
def test_a_change_alone_is_a_revision_of_the_same_content(served: Host, new: str, reason: str) -> None:
    told = served.converge(bot(credentials=new), check_mode=True)
    result = served.converge(bot(credentials=new))
    assert done(result) == done(told) == ("roll", [reason])
    assert (served.answers(), served.draining(), served.unanswered) == (2, [1], [])
    assert (file(served), made_with(served, 1), made_with(served, 2)) == (new, OLD, new)
    served.finish_drains()
    assert served.converge(bot(credentials=new))["changed"] is False


@pytest.mark.parametrize("new", [ROTATED, MOVED], ids=["rotation", "another address"])
def test_a_rollback_uses_what_is_current(served: Host, new: str) -> None:
    served.converge(bot(image="bot:2", credentials=OLD))
    served.converge(bot(image="bot:2", credentials=new))
    served.finish_drains()
    result = served.roll_back(revision=1)
    assert done(result) == ("roll", ["rollback from revision 3"])
    assert (served.answers(), made_with(served, 1), served.unanswered) == (1, new, [])
    assert served.deployment().get(1).login == _credentials.login(new)  # type: ignore[union-attr]
    served.finish_drains()
    served.reboot()
    assert (served.answers(), made_with(served, 1)) == (1, new)


def test_a_rollback_to_what_still_drains_takes_it_as_it_runs(served: Host) -> None:
    """Its password is not revoked while it runs, and the next run gives it that of today."""
    served.converge(bot(image="bot:2", credentials=ROTATED))
    served.roll_back()
    assert (served.answers(), made_with(served, 1), file(served)) == (1, OLD, ROTATED)
    assert served.deployment().serving.login == "bot"  # type: ignore[union-attr]
    assert done(served.converge(bot(credentials=ROTATED))) == ("roll", ["credentials"])
    assert made_with(served, 3) == ROTATED


@pytest.mark.parametrize("then", ["goes on", "reboots"])
def test_a_bad_change_leaves_what_serves_with_what_it_had(served: Host, then: str) -> None:
    result = served.converge(bot(credentials={**ROTATED, **EXITS}))
    assert result["failures"][0]["serving"] == 1
    assert (file(served), (served.folder / "bot/credentials.new").exists()) == (OLD, False)
    if then == "reboots":
        served.clients.clear()
        served.reboot()
    assert (served.answers(), made_with(served, 1)) == (1, OLD)
    assert done(served.converge(bot(credentials=ROTATED))) == ("roll", ["credentials"])
    assert (served.answers(), made_with(served, 2), served.unanswered) == (2, ROTATED, [])


@pytest.mark.parametrize("stage", FAILPOINTS)
@pytest.mark.parametrize("then", ["goes on", "reboots"])
def test_killed_while_it_rotates(served: Host, stage: str, then: str) -> None:
    served.kill_at_stage = stage
    with pytest.raises(Killed):
        served.converge(bot(credentials=ROTATED))
    if then == "reboots":
        clients, served.clients = served.clients, set()
        served.reboot()
        served.clients = clients
    served.touch()
    served.converge(bot(credentials=ROTATED))
    number = served.answers()
    assert number is not None
    assert (file(served), made_with(served, number), served.unanswered) == (ROTATED, ROTATED, [])
    served.finish_drains()
    assert served.running() == [number]
    assert served.converge(bot(credentials=ROTATED))["changed"] is False
    assert not (served.folder / "bot/credentials.new").exists()


@pytest.mark.parametrize("write", range(1, 14))
@pytest.mark.parametrize("then", ["goes on", "reboots"])
def test_killed_before_any_write(served: Host, write: int, then: str) -> None:
    served.kill_at_touch = write
    with contextlib.suppress(Killed):
        served.converge(bot(credentials=ROTATED))
    served.kill_at_touch = None
    if then == "reboots":
        served.clients.clear()
        served.reboot()
    served.converge(bot(credentials=ROTATED))
    number = served.answers()
    assert number is not None
    assert (file(served), made_with(served, number), served.unanswered) == (ROTATED, ROTATED, [])
    assert not (served.folder / "bot/credentials.new").exists()
    served.finish_drains()
    assert served.converge(bot(credentials=ROTATED))["changed"] is False


def test_what_serves_already_is_current_wherever_a_run_was_killed(served: Host) -> None:
    """The record says so before the file is in its place: a rollback goes by the record."""
    served.kill_at_touch = 10
    with pytest.raises(Killed):
        served.converge(bot(credentials=ROTATED))
    assert (served.calls[-1], file(served)) == (("write", "bot/credentials"), OLD)
    assert served.deployment().credentials == ROTATED
    served.roll_back(revision=1)
    assert file(served) == ROTATED


def test_what_was_begun_with_another_password_is_not_taken_for_the_new_one(served: Host) -> None:
    served.kill_at_stage = "healthy"
    with pytest.raises(Killed):
        served.converge(bot(credentials=ROTATED))
    assert served.running() == [1, 2]
    served.converge(bot(credentials=MOVED))
    assert (served.answers(), made_with(served, 3), file(served)) == (3, MOVED, MOVED)


def test_migrations_and_dumps_use_what_is_current(served: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[t.Any] = []
    monkeypatch.setattr(_schema, "read", lambda uri: asked.append(uri) or "16")
    monkeypatch.setattr(snapshot, "take_snapshot", lambda uri, _path: asked.append(uri))
    served.converge(bot(image="bot:2", credentials=ROTATED), snapshot_dir="/dumps")
    served.finish_drains()
    served.roll_back()
    assert len(asked) == 5
    assert set(asked) == {_credentials.database_uri(ROTATED)}


def test_a_diff_names_them_and_shows_none(served: Host) -> None:
    shown = str(served.converge(bot(credentials=ROTATED), check_mode=True)["diff"])
    assert "REDIS_URI=******** (before)" in shown
    assert "DATABASE_URI=******** (after)" in shown
    assert ":one@" not in shown
    assert ":two@" not in shown


def test_no_message_shows_a_password(served: Host) -> None:
    served.journal = ["cannot log in at postgres://bot:a-long-password@db:5432/bot"]
    credentials = {name: uri.replace(":one@", ":a-long-password@") for name, uri in OLD.items()} | EXITS
    failure = served.converge(bot(credentials=credentials))["failures"][0]
    assert "a-long-password" not in str(failure)


# What the rollout says of passwords in use


def carried(result: dict[str, t.Any]) -> list[tuple[int, str]]:
    return [(entry["revision"], entry["users"][0]) for entry in result["carried"]["deployments"]["bot"]]


def test_what_is_in_use_at_the_end(served: Host) -> None:
    assert served.converge(bot(credentials=ROTATED), check_mode=True)["carried"] is None
    assert carried(served.converge(bot(credentials=ROTATED))) == [(1, "bot"), (2, "bot.b")]
    assert carried(served.converge(bot(credentials=ROTATED))) == [(1, "bot"), (2, "bot.b")]
    assert carried(served.converge(bot(credentials=ROTATED), wait_for_drain=True)) == [(2, "bot.b")]


def test_a_rotation_that_fails_leaves_the_old_one_in_use(served: Host) -> None:
    result = served.converge(bot(credentials={**ROTATED, **EXITS}))
    assert result["failures"]
    assert carried(result) == [(1, "bot")]


def test_a_drain_that_a_killed_run_has_begun_is_waited_for(served: Host) -> None:
    served.kill_at_stage = "drained"
    with pytest.raises(Killed):
        served.converge(bot(credentials=ROTATED))
    assert served.draining() == [1]
    assert carried(served.converge(bot(credentials=ROTATED), wait_for_drain=True)) == [(2, "bot.b")]


# Nothing but credentials


def test_a_rotation_changes_nothing_else(served: Host) -> None:
    other = bot(image="bot:9", environment={"OTHER": "1"}, port=9000, memory="1g", credentials=ROTATED)
    served.images.pop("bot:9")
    told = served.converge(other, only_credentials=True, check_mode=True)
    assert done(served.converge(other, only_credentials=True)) == done(told) == ("roll", ["credentials"])
    deployment = served.deployment()
    assert deployment.serving is not None
    assert deployment.serving.content == deployment.get(1).content  # type: ignore[union-attr]
    assert (deployment.settings or {})["port"] == 8123
    assert (made_with(served, 2), served.unanswered) == (ROTATED, [])
    assert served.converge(other, only_credentials=True)["changed"] is False


def test_a_rotation_needs_something_that_serves(served: Host) -> None:
    with pytest.raises(Refused, match="deployment 'two', option 'only_credentials': it has no serving revision"):
        served.converge(bot(credentials=ROTATED), bot("two", credentials=ROTATED), only_credentials=True)
    assert served.calls == []


# A host as an earlier version left it


def write_earlier(host: Host, number: int, content: Content, environment: dict[str, str]) -> None:
    """Write a revision in the format of an earlier version: with the arguments of the engine, and the hash of these."""
    arguments = ["--network", content.container.network, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    arguments.append(content.image_id)
    parts = (content.image_id, *arguments, str(content.drain_seconds), render(environment))
    record = {
        "number": number,
        "image": content.image,
        "image_id": content.image_id,
        "image_digest": None,
        "arguments": arguments,
        "drain_seconds": content.drain_seconds,
        "config": hashlib.sha256("\0".join(parts).encode()).hexdigest(),
        "created": "2026-11-01T10:00:00+00:00",
        "reasons": ["new"],
        "schema_before": "16",
    }
    store.write_revision(str(host.folder), "bot", record, environment)


@pytest.fixture
def earlier(served: Host) -> Host:
    """Revisions with the arguments of the engine, the URIs in their environment, and neither file nor note."""
    served.converge(bot(image="bot:2", credentials=OLD))
    served.finish_drains()
    for number in (1, 2):
        revision = served.deployment().get(number)
        assert revision is not None
        assert revision.content is not None
        write_earlier(served, number, revision.content, {**OWN, **OLD})
        endpoint = {key: value for key, value in (revision.endpoint or {}).items() if key not in _credentials.NOTED}
        store.write_endpoint(str(served.folder), "bot", number, endpoint)
        store.write_outcome(str(served.folder), "bot", number, revision.outcome or {})
    (served.folder / "bot/credentials").unlink()
    return served


def test_it_is_taken_over_without_another_container(earlier: Host) -> None:
    assert all(revision.intact for revision in earlier.deployment().revisions)
    told = earlier.converge(bot(image="bot:2", credentials=OLD), check_mode=True)
    result = earlier.converge(bot(image="bot:2", credentials=OLD))
    assert done(result) == done(told) == ("keep", ["credentials file"])
    assert not [call for call in earlier.calls if call[0] in ("start", "stop", "rm", "proxy")]
    assert file(earlier) == OLD
    assert earlier.converge(bot(image="bot:2", credentials=OLD))["changed"] is False
    serving = earlier.deployment().serving
    assert serving is not None
    assert (serving.login, serving.user) == ("bot", "bot")


def test_its_revisions_are_gone_back_to_over_a_rotation(earlier: Host) -> None:
    earlier.converge(bot(image="bot:2", credentials=ROTATED))
    earlier.finish_drains()
    earlier.roll_back(revision=1)
    assert (earlier.answers(), made_with(earlier, 1), earlier.unanswered) == (1, ROTATED, [])
    serving = earlier.deployment().serving
    assert serving is not None
    assert serving.intact
    assert serving.login == "bot.b"


def test_a_rollback_before_the_first_run_is_as_it_was(earlier: Host) -> None:
    earlier.roll_back()
    assert (earlier.answers(), made_with(earlier, 1)) == (1, OLD)


def test_a_rollback_over_a_change_before_the_first_run_is_refused(earlier: Host) -> None:
    revision = earlier.deployment().get(1)
    assert revision is not None
    assert revision.content is not None
    write_earlier(earlier, 1, revision.content, {**OWN, **MOVED})
    store.write_outcome(str(earlier.folder), "bot", 1, {"result": "served", "schema": "16"})
    with pytest.raises(Refused, match="revision 1 contains an old address or password of Redis or Postgres"):
        earlier.roll_back()
    assert earlier.calls == []


def test_a_rotation_of_it_makes_a_revision_without_credentials(earlier: Host) -> None:
    earlier.converge(bot(credentials=ROTATED), only_credentials=True)
    assert environment(earlier, 3) == OWN
    assert (earlier.answers(), made_with(earlier, 3)) == (3, ROTATED)
