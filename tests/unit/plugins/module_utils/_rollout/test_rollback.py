# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""To which revision a rollback leads, with which settings, and what it refuses, each by itself."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import parse_rendered
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    Wanted,
    make_record,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout import rollback
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._revisions.test_model import (
    SETTINGS,
    content,
)

IMAGES = ("sha256:one", "sha256:two")
CREDENTIALS = "DATABASE_URI=postgres://bot:one@db/bot\nREDIS_URI=redis://bot:one@r/1\n"
PARAMS = {"revision": None, "allow_schema_mismatch": False, "snapshot_dir": None}


def made(number: int, image_id: str = "sha256:one", environment: str = "A=1\n", **more: t.Any) -> Revision:
    """Return a stopped revision that has served on schema 16."""
    variables = parse_rendered(environment)
    of = replace(content(image_id), environment=variables)
    record = make_record(of, number, reasons=["new"], by="ann", at="2026-11-25T10:00:00+00:00", schema=None)
    return replace(Revision(number, record, variables, {"result": "served", "schema": "16"}), **more)


def host(*revisions: Revision, serving: int | None = 3, **settings: t.Any) -> Deployment:
    given = None if serving is None else {**SETTINGS, "serving": serving, **settings}
    return Deployment("bot", given, revisions, parse_rendered(CREDENTIALS))


THREE = host(made(1, "sha256:two"), made(2), made(3))


@pytest.fixture(autouse=True)
def database(monkeypatch: pytest.MonkeyPatch) -> dict[str, t.Any]:
    """The version that the database has, the URI that is asked for it, and the files that exist."""
    found: dict[str, t.Any] = {"schema": "16", "uri": None, "files": set()}

    def read(uri: str | None) -> str | None:
        found["uri"] = uri
        return found["schema"]

    monkeypatch.setattr(rollback._schema, "read", read)
    monkeypatch.setattr(rollback.store, "exists", lambda path: path in found["files"])
    return found


def back(deployment: Deployment, images: t.Collection[str] = IMAGES, **params: t.Any) -> Wanted:
    return rollback.back_to(deployment, {**PARAMS, **params}, images)


def refusal(deployment: Deployment, images: t.Collection[str] = IMAGES, **params: t.Any) -> str:
    with pytest.raises(Refused) as caught:
        back(deployment, images, **params)
    (problem,) = caught.value.problems
    assert (problem.deployment, problem.option) == (
        "bot",
        "name" if "no serving revision" in problem.finding else "revision",
    )
    return str(caught.value)


def test_without_a_number_it_is_the_previous_one() -> None:
    target = made(2)
    assert back(THREE) == Wanted(
        "bot",
        target.content,
        {**SETTINGS, "serving": 3, "prefix": None},
        revision=2,
        credentials=parse_rendered(CREDENTIALS),
    )


def test_a_number_is_that_revision() -> None:
    assert back(THREE, revision=1).content == made(1, "sha256:two").content
    assert back(THREE, revision=1).revision == 1
    # The serving one as well, whether it has ended its start or not.
    assert back(host(made(1), made(3, outcome=None)), revision=3).revision == 3


def test_the_mount_prefix_belongs_to_the_revision() -> None:
    deployment = host(made(2, environment="MOUNT_PREFIX=/old\n"), made(3), prefix="/new", port=8200)
    settings = back(deployment).settings
    assert (settings["prefix"], settings["port"]) == ("/old", 8200)
    assert back(host(made(2, environment="MOUNT_PREFIX=\n"), made(3), prefix="/new")).settings["prefix"] is None


@pytest.mark.parametrize(
    ("deployment", "params", "finding"),
    [
        (host(made(2), serving=None), {}, "option 'name': it has no serving revision; run the playbook site first"),
        (host(made(2), serving=9), {}, "option 'name': it has no serving revision"),
        (
            THREE,
            {"revision": 9},
            "option 'revision': there is no revision 9; choose a kept revision that has served: 1, 2, 3",
        ),
        (THREE, {"revision": 0}, "option 'revision': there is no revision 0"),
        (
            host(made(3)),
            {},
            "no revision below 3 has served; choose a kept revision that has served: 3",
        ),
        (host(made(2, outcome={"result": "failed"}), made(3)), {}, "no revision below 3 has served"),
        (host(made(2, outcome={"result": "failed"}), made(3)), {"revision": 2}, "revision 2 has never served"),
        (host(made(2, outcome=None), made(3)), {"revision": 2}, "revision 2 has never served"),
        (host(made(2, environment="A=1\n", record=None), made(3)), {}, "the files of revision 2 were changed by hand"),
        (
            host(replace(made(2), environment={"A": "2"}), made(3)),
            {},
            "the files of revision 2 were changed by hand; choose another",
        ),
        (
            host(made(2, "sha256:gone"), made(3)),
            {},
            "the host no longer has the image of revision 2, 'bot:1' (sha256:gone); load or pull the same image first: a new build has another id",
        ),
    ],
)
def test_what_cannot_be_rolled_back_to(deployment: Deployment, params: dict[str, t.Any], finding: str) -> None:
    assert finding in refusal(deployment, **params)


def test_the_kept_revisions_are_listed() -> None:
    assert "that has served: 1, 2, 3" in refusal(THREE, revision=9)
    assert refusal(THREE, revision=9).startswith("deployment 'bot', ")


@pytest.mark.parametrize(
    ("target", "serving", "refused"),
    [
        ("", "", False),
        ("LANGGRAPH_AES_KEY=k\n", "LANGGRAPH_AES_KEY=k\n", False),
        ("LANGGRAPH_AES_KEY=k\n", "", False),
        ("", "LANGGRAPH_AES_KEY=k\n", True),
        ("LANGGRAPH_AES_KEY=other\n", "LANGGRAPH_AES_KEY=k\n", True),
    ],
)
def test_data_that_only_the_serving_key_decrypts(target: str, serving: str, refused: bool) -> None:
    deployment = host(made(2, environment=f"A=1\n{target}"), made(3, environment=f"A=1\n{serving}"))
    if refused:
        assert "revision 2 has a different langgraph_aes_key from the serving one, or none" in refusal(deployment)
    else:
        assert back(deployment).revision == 2


@pytest.mark.parametrize(
    ("file", "own", "refused"),
    [
        (CREDENTIALS, "", False),
        (CREDENTIALS, CREDENTIALS, False),
        # On a host of an earlier version a revision starts with what it has itself.
        (None, CREDENTIALS, False),
        (None, CREDENTIALS.replace("one", "two"), True),
        (None, "", True),
    ],
)
def test_credentials_that_are_outdated(file: str | None, own: str, refused: bool) -> None:
    revisions = made(2, environment=f"A=1\n{own}"), made(3, environment=f"A=1\n{CREDENTIALS}")
    deployment = Deployment(
        "bot", {**SETTINGS, "serving": 3}, revisions, None if file is None else parse_rendered(file)
    )
    if refused:
        assert "contains an old address or password of Redis or Postgres" in refusal(deployment)
    else:
        assert back(deployment).credentials == parse_rendered(CREDENTIALS)


@pytest.mark.parametrize(
    ("then", "now", "allowed"),
    [("16", "16", True), ("15", "16", False), (None, "16", False), ("16", None, False), (None, None, False)],
)
def test_a_schema_that_has_changed(
    database: dict[str, t.Any], then: str | None, now: str | None, allowed: bool
) -> None:
    database["schema"] = now
    deployment = host(made(2, outcome={"result": "served", "schema": then}), made(3))
    assert back(deployment, allow_schema_mismatch=True).revision == 2
    assert database["uri"] is None
    if allowed:
        assert back(deployment).revision == 2
    else:
        said = refusal(deployment)
        assert f"has changed since revision 2, from {then or 'unknown'} to {now or 'unknown'}" in said
        assert "-e allow_schema_mismatch=true rolls back anyway" in said
        assert ("what was migrated since is not known" in said) == (then is None or now is None)
        assert "there is no snapshot from before it (langgraph_snapshot_dir takes one)" in said
    assert database["uri"] == "postgres://bot:one@db/bot"


def test_the_serving_revision_has_no_other_schema(database: dict[str, t.Any]) -> None:
    database["schema"] = "17"
    assert back(THREE, revision=3).revision == 3


def test_migrations_are_named(database: dict[str, t.Any]) -> None:
    database["schema"] = "18"
    assert "from 16 to 18 (migrations 17, 18)" in refusal(THREE)


def test_the_first_snapshot_since_is_offered(database: dict[str, t.Any]) -> None:
    """That of the oldest newer revision whose file exists: it has the fewest later writes."""
    database["schema"] = "17"
    deployment = host(made(1), made(2, snapshot="/dumps/2"), made(3, snapshot="/dumps/3"))
    assert "there is no snapshot from before it" in refusal(deployment, revision=1)
    database["files"] = {"/dumps/3"}
    assert "the snapshot taken before it is /dumps/3; restoring it loses all later writes" in refusal(
        deployment, revision=1
    )
    database["files"] = {"/dumps/2", "/dumps/3"}
    assert "the snapshot taken before it is /dumps/2;" in refusal(deployment, revision=1)
    # One from before the target itself is of no use.
    assert "the snapshot taken before it is /dumps/3;" in refusal(deployment, revision=2)


def test_a_snapshot_whose_record_is_lost_is_found_by_its_name(database: dict[str, t.Any]) -> None:
    database["schema"] = "17"
    place = "/dumps/bot/before-revision-3-20261125T100000.dump"
    database["files"] = {place}
    assert f"is {place};" in refusal(THREE, snapshot_dir="/dumps")
    assert "there is no snapshot from before it" in refusal(THREE)


def test_a_revision_that_was_never_finished_has_no_schema(database: dict[str, t.Any]) -> None:
    """It has no outcome, and the serving one is no target of that check."""
    with pytest.raises(Refused, match="from unknown to 16"):
        rollback._refuse_other_schema(host(made(2, outcome=None), made(3)), 2, None)
    for deployment in (host(made(2), made(3), serving=9), host(made(3)), host(made(2), made(3, record=None))):
        rollback._refuse_other_schema(deployment, 2, None)
    assert database["uri"] == "postgres://bot:one@db/bot"


def test_a_deployment_without_revisions_lists_none() -> None:
    assert "it has no serving revision" in refusal(host(serving=9))
    only = host(made(3), serving=3)
    assert "that has served: 3" in refusal(only, revision=1)


PUBLIC = {"address": "127.0.0.1", "port": 8123}
BEHIND = {"address": "172.29.128.1", "port": 8000, "network": "langgraph"}


def served(name: str, port: int) -> Deployment:
    """Return a deployment behind the proxy."""
    return Deployment(name, {**SETTINGS, "port": port, "serving": 1}, (made(1, active="active", endpoint=BEHIND),))


# A revision of another deployment -> whether it is in the way of the proxy, which needs port 8123.
IN_THE_WAY: dict[str, tuple[dict[str, t.Any], bool]] = {
    "has the port": ({"active": "active", "endpoint": PUBLIC}, True),
    "is about to have it": ({"active": "activating", "endpoint": PUBLIC}, True),
    "has it on every address": ({"active": "active", "endpoint": {**PUBLIC, "address": "0.0.0.0"}}, True),
    "does not run": ({"active": "failed", "endpoint": PUBLIC}, False),
    "has another port": ({"active": "active", "endpoint": {**PUBLIC, "port": 8124}}, False),
    "has another address": ({"active": "active", "endpoint": {**PUBLIC, "address": "10.0.0.1"}}, False),
    "is behind the proxy": ({"active": "active", "endpoint": BEHIND}, False),
    "has no address": ({"active": "active", "endpoint": None}, False),
}


@pytest.mark.parametrize(("more", "refused"), IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_a_container_in_the_way_of_the_proxy(more: dict[str, t.Any], refused: bool) -> None:
    other = Deployment("other", {**SETTINGS, "port": 8125, "serving": 1}, (made(1), made(4, **more)))
    found = {"bot": served("bot", 8123), "third": served("third", 8200), "other": other}
    if refused:
        with pytest.raises(Refused) as caught:
            rollback._refuse_what_is_in_the_way(found, "bot")
        assert str(caught.value) == (
            "deployment 'bot', option 'name': an interrupted run left revision 4 of deployment 'other' running on port 8123,"
            " and the proxy needs this port; run the playbook site first, with both deployments in its list"
        )
    else:
        rollback._refuse_what_is_in_the_way(found, "bot")
    # Its own containers are handled by the rollback itself.
    rollback._refuse_what_is_in_the_way(found, "other")


@pytest.fixture
def roll_back(monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., list[Wanted]]:
    """Return a function that returns what a rollback wants of the host, without carrying it out."""
    drifted = {"is": False}
    monkeypatch.setattr(rollback.docker_engine, "connect", lambda: "client")
    monkeypatch.setattr(rollback.docker_engine, "image_ids", lambda client: {client: "sha256:one", "two": "sha256:two"})
    monkeypatch.setattr(rollback, "proxy_drifted", lambda _found: drifted["is"])

    def run(
        found: dict[str, Deployment],
        name: str = "bot",
        *,
        drift: bool = False,
        check_mode: bool = False,
        **params: t.Any,
    ) -> list[Wanted]:
        drifted["is"] = drift
        given = {**PARAMS, "name": name, **params}

        calls: list[t.Any] = []

        def carry_out(wanted: t.Any, options: t.Any, client: t.Any, *, check_mode: bool) -> None:
            calls.append((options, client, check_mode, wanted(found)))

        monkeypatch.setattr(rollback, "carry_out", carry_out)
        rollback.roll_back(given, check_mode=check_mode)
        assert [call[:3] for call in calls] == [(given, "client", check_mode)]
        return t.cast("list[Wanted]", calls[0][3])

    return run


def test_a_rollback_is_carried_out_as_a_rollout(roll_back: t.Callable[..., list[Wanted]]) -> None:
    for check_mode in (True, False):
        (wanted,) = roll_back({"bot": THREE}, check_mode=check_mode)
        assert (wanted.name, wanted.revision) == ("bot", 2)
    assert roll_back({"other": THREE}) == []


def test_a_name_that_cannot_be_one(roll_back: t.Callable[..., list[Wanted]]) -> None:
    with pytest.raises(Refused, match="name"):
        roll_back({}, "Not-a-name")


def test_a_proxy_that_differs_from_the_record_needs_a_number(roll_back: t.Callable[..., list[Wanted]]) -> None:
    with pytest.raises(Refused) as caught:
        roll_back({"bot": THREE}, drift=True)
    assert str(caught.value) == (
        "deployment 'bot', option 'revision': an interrupted run left the proxy on a different revision from the host's record;"
        " name the revision to roll back to, or run the playbook site first"
    )
    assert roll_back({"bot": THREE}, drift=True, revision=2)[0].revision == 2
    with pytest.raises(Refused, match="it has no serving revision"):
        roll_back({"bot": host(made(2), serving=9)}, drift=True)


def test_a_rollback_waits_for_the_proxys_port(roll_back: t.Callable[..., list[Wanted]]) -> None:
    other = Deployment("other", {**SETTINGS, "port": 8125}, (made(4, active="active", endpoint=PUBLIC),))
    bot = replace(
        THREE, settings={**SETTINGS, "serving": 3}, revisions=(made(2), made(3, active="active", endpoint=BEHIND))
    )
    with pytest.raises(Refused, match="the proxy needs this port"):
        roll_back({"bot": bot, "other": other})
