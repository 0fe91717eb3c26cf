# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of a server, read in one round trip, from servers that differ in what they say."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import (
    CATEGORIES,
    ServerState,
    read_state,
)

NOPERM = PermissionError("NOPERM")
USER = ["flags", ["on"], "passwords", [], "commands", "+@all", "keys", "~*", "channels", "&*"]
OFF = ["flags", ["off"], "passwords", [], "commands", "+@all", "keys", "~*", "channels", "&*"]
LIMITED = ["flags", ["off"], "passwords", [], "commands", "-@all", "keys", "", "channels", ""]
OPEN = ["flags", ["on", "nopass"], "passwords", [], "commands", "+@all", "keys", "~*", "channels", "&*"]


class FakeServer:
    """A Redis whose answers can be replaced, by the first words of a command."""

    def __init__(self, **replies: t.Any) -> None:
        self.replies: dict[str, t.Any] = {
            "INFO_server": "# Server\r\nredis_version:7.2.4\r\nredis_mode:standalone\r\n",
            "CONFIG_GET_databases": ["databases", "16"],
            "CONFIG_GET_aclfile": ["aclfile", "/etc/users.acl"],
            "EXISTS": 0,
            "ACL_WHOAMI": "admin",
            "ACL_GETUSER_default": OFF,
            "ACL_GETUSER_admin": USER,
            "ACL_GETUSER": None,
            "INFO_persistence": "aof_enabled:1\r\n",
            "ACL_LIST": ["user admin on +@all"],
            "HKEYS": ["a", ":server"],
            "ACL_CAT_read": ["get"],
            "ACL_CAT_admin": ["acl|setuser", "acl|deluser"],
            "ACL_CAT": ValueError("unknown category"),
            "ACL_DRYRUN": "OK",
            **replies,
        }
        self.trips: list[list[str]] = []

    def pipeline(self, commands: t.Sequence[t.Sequence[str]]) -> list[t.Any]:
        self.trips.append([" ".join(command) for command in commands])
        return [self._reply(command) for command in commands]

    def _reply(self, command: t.Sequence[str]) -> t.Any:
        for length in (3, 2, 1):
            if "_".join(command[:length]) in self.replies:
                return self.replies["_".join(command[:length])]
        raise AssertionError(command)


def read(names: t.Sequence[str] = (), **replies: t.Any) -> ServerState:
    return read_state(t.cast("t.Any", FakeServer(**replies)), names)


def test_a_usual_server() -> None:
    state = read()
    assert (state.version, state.cluster, state.databases, state.acl_file) == ("7.2.4", False, 16, "/etc/users.acl")
    assert (state.unsaved, state.open_default, state.lossy_default, state.me) == (False, False, False, "admin")
    assert state.rules == ["user admin on +@all"]
    assert state.fields == frozenset({"a", ":server"})
    assert (state.users, state.no_users, state.append_only) == ({}, None, True)
    assert state.sets.allowed("+@read +@admin") == {"get", "acl|setuser", "acl|deluser"}


def test_users_and_categories_are_read_in_one_round_trip() -> None:
    server = FakeServer(ACL_GETUSER_a=USER)
    state = read_state(t.cast("t.Any", server), ["a", "b"])
    assert state.users == {"a": dict(zip(USER[::2], USER[1::2])), "b": None}
    first, second = server.trips
    assert first[-2:] == ["ACL GETUSER a", "ACL GETUSER b"]
    assert len(first) == 9 + len(CATEGORIES) + 2
    # Whether we may change users is asked only if there are any to change.
    assert second == ["ACL DRYRUN admin ACL SETUSER x", "ACL DRYRUN admin ACL DELUSER x", "ACL GETUSER admin"]
    plain = FakeServer()
    read_state(t.cast("t.Any", plain), [])
    assert len(plain.trips) == 1


@pytest.mark.parametrize(
    ("reply", "version"),
    [
        ("redis_version:7.0.15", "7.0.15"),
        ("redis_version:7.2.4\r\nvalkey_version:8.1.1", "8.1.1"),
        ({"redis_version": "7.4.0"}, "7.4.0"),
        ("redis_version:255.255.255", "255.255.255"),
        (NOPERM, ""),
        ("", ""),
    ],
)
def test_versions(reply: t.Any, version: str) -> None:
    assert read(INFO_server=reply).version == version


@pytest.mark.parametrize("version", ["6.2.14", "5.0.3", "6.9"])
def test_versions_that_are_too_old(version: str) -> None:
    with pytest.raises(ClaimError, match=f"Redis {version} is too old: users cannot be restricted to one database"):
        read(INFO_server=f"redis_version:{version}")


@pytest.mark.parametrize(
    ("info", "config", "cluster", "databases"),
    [
        ("redis_version:7.2.4\nredis_mode:cluster", ["databases", "16"], True, 1),
        ("redis_version:7.2.4\nserver_mode:cluster", ["databases", "16"], True, 1),
        ("redis_version:7.2.4\nredis_mode:sentinel", ["databases", "16"], False, 16),
        ("redis_version:7.2.4", ["databases", "1"], False, 1),
        ("redis_version:7.2.4", {"databases": "32"}, False, 32),
        ("redis_version:7.2.4", NOPERM, False, None),
        ("redis_version:7.2.4", [], False, None),
        ("redis_version:7.2.4\nredis_mode:cluster", NOPERM, True, 1),
    ],
)
def test_the_number_of_databases(info: str, config: t.Any, cluster: bool, databases: int | None) -> None:
    state = read(INFO_server=info, CONFIG_GET_databases=config)
    assert (state.cluster, state.databases) == (cluster, databases)


@pytest.mark.parametrize(
    ("replies", "fields"),
    [
        ({"CONFIG_GET_aclfile": ["aclfile", ""]}, {"acl_file": ""}),
        ({"CONFIG_GET_aclfile": NOPERM}, {"acl_file": None}),
        ({"EXISTS": 1}, {"unsaved": True}),
        ({"EXISTS": NOPERM}, {"unsaved": False}),
        ({"ACL_WHOAMI": NOPERM}, {"me": ""}),
        ({"ACL_LIST": NOPERM}, {"rules": None}),
        ({"ACL_LIST": []}, {"rules": []}),
        ({"HKEYS": NOPERM}, {"fields": frozenset()}),
        ({"INFO_persistence": "aof_enabled:0"}, {"append_only": False, "lossy_default": False}),
        ({"INFO_persistence": NOPERM}, {"append_only": None, "lossy_default": False}),
        ({"ACL_GETUSER_default": OPEN}, {"open_default": True, "lossy_default": False}),
        ({"ACL_GETUSER_default": USER}, {"open_default": False, "lossy_default": False}),
        ({"ACL_GETUSER_default": LIMITED}, {"open_default": False, "lossy_default": True}),
        ({"ACL_GETUSER_default": LIMITED, "INFO_persistence": "aof_enabled:0"}, {"lossy_default": False}),
        ({"ACL_GETUSER_default": LIMITED, "INFO_persistence": {"aof_enabled": 1}}, {"lossy_default": True}),
        ({"ACL_GETUSER_default": NOPERM}, {"open_default": False, "lossy_default": False}),
    ],
)
def test_what_a_server_says_or_hides(replies: dict[str, t.Any], fields: dict[str, t.Any]) -> None:
    state = read(**replies)
    assert {name: getattr(state, name) for name in fields} == fields


def test_a_server_that_shows_no_users() -> None:
    with pytest.raises(ClaimError, match="does not permit managing users .NOPERM.. Log in as a user that may use ACL"):
        read(["a"], ACL_GETUSER=NOPERM)


NO_DRYRUN = ValueError("ERR unknown subcommand 'DRYRUN'")
OBSERVER = ["flags", ["on"], "commands", "-@all +@read"]
MAY_ACL = ["flags", ["on"], "commands", "-@all +@admin"]


@pytest.mark.parametrize(
    ("replies", "expected"),
    [
        ({}, None),
        (
            {"ACL_DRYRUN": "This user has no permissions to run the 'acl|setuser' command"},
            "This user has no permissions",
        ),
        ({"ACL_DRYRUN": ValueError("ERR Command 'ACL' not found")}, "ERR Command 'ACL' not found"),
        ({"ACL_DRYRUN": NO_DRYRUN, "ACL_GETUSER_admin": OBSERVER}, "'admin' may not run ACL SETUSER"),
        ({"ACL_DRYRUN": NO_DRYRUN, "ACL_GETUSER_admin": MAY_ACL}, None),
        # Unknown, so it is tried.
        ({"ACL_DRYRUN": NO_DRYRUN, "ACL_GETUSER_admin": NOPERM}, None),
        ({"ACL_DRYRUN": NO_DRYRUN, "ACL_GETUSER_admin": None}, None),
        ({"ACL_WHOAMI": NOPERM}, None),
    ],
)
def test_whether_users_may_be_changed(replies: dict[str, t.Any], expected: str | None) -> None:
    found = read(["a"], **replies).no_users
    assert found is None if expected is None else (found or "").startswith(expected)
