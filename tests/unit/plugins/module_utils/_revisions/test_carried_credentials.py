# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which logins revisions use."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.carried_credentials import carried
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import Deployment, Revision

OLD, NEW = (
    {"DATABASE_URI": f"postgres://{login}:secret@db/bot", "REDIS_URI": f"redis://{login}:secret@r/1"}
    for login in ("bot", "bot.b")
)


def revision(number: int, credentials: Variables, **more: t.Any) -> Revision:
    return Revision(
        number, environment={"LANGGRAPH_POSTGRES_POOL_MAX_SIZE": "20"}, endpoint=_credentials.note(credentials), **more
    )


FOUND = {
    "bot": Deployment("bot", {"serving": 2}, (revision(1, OLD, draining=True), revision(2, NEW, active="active")), NEW),
    "idle": Deployment("idle", {"serving": 1}, (revision(1, OLD),)),
}


def test_logins_of_what_runs_or_serves() -> None:
    """The draining revision would log in with the current credentials after a restart."""
    assert carried(FOUND) == {
        "deployments": {
            "bot": [
                {"revision": 1, "logins": ["bot", "bot.b"], "users": ["bot", "bot.b"], "pool": "20"},
                {"revision": 2, "logins": ["bot.b"], "users": ["bot.b"], "pool": "20"},
            ],
            "idle": [{"revision": 1, "logins": ["bot"], "users": ["bot"], "pool": "20"}],
        }
    }


def test_an_earlier_version_recorded_no_user() -> None:
    """It was always that of the deployment's name."""
    old = {key: value for key, value in _credentials.note(OLD).items() if key != "user"}
    found = {"a-bot": Deployment("a-bot", {"serving": 1}, (Revision(1, environment={}, endpoint=old),))}
    assert [item["users"] for item in carried(found)["deployments"]["a-bot"]] == [["a-bot"]]


def test_a_revision_that_has_lost_its_files() -> None:
    bare = {"bot": Deployment("bot", {"serving": 1}, (Revision(1),))}
    assert carried(bare)["deployments"]["bot"] == [{"revision": 1, "logins": [None], "users": [None], "pool": None}]
    known = {"bot": Deployment("bot", {"serving": 1}, (Revision(1),), NEW)}
    (entry,) = carried(known)["deployments"]["bot"]
    assert (entry["logins"], entry["users"]) == ([None, "bot.b"], [None, "bot.b"])


def test_a_managed_redis_without_users() -> None:
    """Its login is not the deployment's, so it is unknown which of its users would be free."""
    credentials = {**OLD, "REDIS_URI": "redis://:p@r/1"}
    found = {"bot": Deployment("bot", {"serving": 1}, (revision(1, credentials),), credentials)}
    assert [item["users"] for item in carried(found)["deployments"]["bot"]] == [[None]]
