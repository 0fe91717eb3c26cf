# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The revision to which a rollback goes, and when it is refused. test_module.py has rollbacks of a host."""

from __future__ import annotations

import typing as t
from dataclasses import replace

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    Wanted,
    make_record,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.rollback import back_to
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema
from ansible_collections.selfhost.langgraph.tests.unit.plugins.module_utils._rollout.fake_host import (
    OLD,
    ROTATED,
    content_of,
)

SETTINGS: dict[str, t.Any] = {
    "proxy": "haproxy",
    "bind_address": "127.0.0.1",
    "port": 8123,
    "prefix": "/b",
    "serving": 3,
}
SERVED, FAILED = {"result": "served", "schema": "16"}, {"result": "failed"}


def revision(number: int, outcome: dict[str, t.Any] | None = SERVED, **variables: str) -> Revision:
    content = content_of(f"sha256:{number}", {"A": "1", **variables})
    record = make_record(content, number, reasons=["new"], by="ann", at="2026-11-25T10:00:00+00:00", schema="16")
    return Revision(number, record, content.environment, outcome)


def deployment(*revisions: Revision, **settings: t.Any) -> Deployment:
    return Deployment("bot", {**SETTINGS, **settings}, revisions, ROTATED)


THREE = deployment(revision(1, MOUNT_PREFIX="/a"), revision(2, FAILED), revision(3))
IMAGES = {f"sha256:{number}" for number in range(1, 6)}


@pytest.fixture(autouse=True)
def schema(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | None]:
    """The schema of the database."""
    found: dict[str, str | None] = {"now": "16"}
    monkeypatch.setattr(_schema, "read", lambda _uri: found["now"])
    return found


def back(found: Deployment, number: int | None = None, images: t.Collection[str] = IMAGES, **options: t.Any) -> Wanted:
    params = {"revision": number, "allow_schema_mismatch": False, "snapshot_dir": None, **options}
    return back_to(found, params, images)


def refused(found: Deployment, number: int | None = None, **options: t.Any) -> str:
    with pytest.raises(Refused) as error:
        back(found, number, **options)
    (problem,) = error.value.problems
    return f"{problem.option}: {problem.finding}"


@pytest.mark.parametrize("number", [None, 1])
def test_it_goes_to_the_previous_one_that_has_served(number: int | None) -> None:
    found = back(THREE, number)
    assert (found.name, found.revision) == ("bot", 1)
    assert found.content == THREE.revisions[0].content


def test_the_prefix_and_the_credentials() -> None:
    """The prefix is that of the revision, the rest of the address and the credentials are those of the deployment."""
    found = back(THREE)
    assert found.settings == {**SETTINGS, "prefix": "/a"}
    assert found.credentials == ROTATED
    assert back(deployment(revision(1), revision(3)), 1).settings["prefix"] is None


def test_to_the_serving_one_itself() -> None:
    assert back(THREE, 3).revision == 3


REFUSED: dict[str, tuple[Deployment, int | None, str]] = {
    "nothing serves": (deployment(revision(1), serving=None), None, "name: it has no serving revision"),
    "no record": (Deployment("bot", None, (revision(1),)), 1, "name: it has no serving revision"),
    "no such revision": (THREE, 9, "revision: there is no revision 9"),
    "nothing before": (deployment(revision(3)), None, "revision: no revision below 3 has served"),
    "only failed ones before": (
        deployment(revision(2, FAILED), revision(3)),
        None,
        "revision: no revision below 3 has served",
    ),
    "one that failed": (THREE, 2, "revision: revision 2 has never served"),
    "changed by hand": (
        deployment(replace(revision(1), config="0" * 64), revision(3)),
        1,
        "revision: the files of revision 1 were changed by hand",
    ),
    "files lost": (
        deployment(replace(revision(1), environment=None), revision(3)),
        1,
        "revision: the files of revision 1 were changed by hand",
    ),
}


@pytest.mark.parametrize(("found", "number", "finding"), REFUSED.values(), ids=REFUSED)
def test_refusals(found: Deployment, number: int | None, finding: str) -> None:
    assert refused(found, number) == finding


def test_an_image_that_is_gone() -> None:
    finding = "revision: the host no longer has the image of revision 1, 'bot:1' (sha256:1)"
    assert refused(THREE, 1, images={"sha256:3"}) == finding


KEYS: dict[str, tuple[str | None, str | None, bool]] = {
    "none": (None, None, True),
    "the same": ("k" * 16, "k" * 16, True),
    "another": ("k" * 16, "n" * 16, False),
    "none before": (None, "n" * 16, False),
    "none since": ("k" * 16, None, True),
}


@pytest.mark.parametrize(("before", "now", "accepted"), KEYS.values(), ids=KEYS)
def test_data_that_the_older_one_could_not_read(before: str | None, now: str | None, accepted: bool) -> None:
    target, serving = (
        revision(number, **({"LANGGRAPH_AES_KEY": key} if key else {})) for number, key in ((1, before), (3, now))
    )
    found = deployment(target, serving)
    if accepted:
        assert back(found, 1).revision == 1
    else:
        message = refused(found, 1)
        assert message.startswith("revision: revision 1 has a different langgraph_aes_key from the serving one")
        assert "k" * 16 not in message
        assert "n" * 16 not in message


def test_a_schema_that_has_changed(schema: dict[str, str | None]) -> None:
    schema["now"] = "17"
    assert "the database schema has changed since revision 1, from 16 to 17" in refused(THREE, 1)
    assert back(THREE, 1, allow_schema_mismatch=True).revision == 1
    # The one that serves runs with it already.
    assert back(THREE, 3).revision == 3


def test_a_schema_that_is_not_known(schema: dict[str, str | None]) -> None:
    schema["now"] = None
    assert "from 16 to unknown (what was migrated since is not known)" in refused(THREE, 1)


def test_outdated_credentials_of_an_earlier_version() -> None:
    """They were part of the revision then, and no file has the current ones."""
    old, new = revision(1, **OLD), revision(3, **ROTATED)
    found = Deployment("bot", SETTINGS, (old, new))
    assert "was created with another address or password" in refused(found, 1)
    same = Deployment("bot", SETTINGS, (revision(1, **ROTATED), new))
    assert back(same, 1).credentials == ROTATED
