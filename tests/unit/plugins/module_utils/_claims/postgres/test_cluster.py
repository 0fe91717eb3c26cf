# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clusters of a host, reasons to refuse changes, and settings that the server has not loaded."""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import cluster
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.cluster import Cluster, Server

OURS = Cluster(17, "langgraph", {"port": "5432"})
SHOP = Cluster(17, "main", {"port": "5433"})


def test_settings_as_postgres_reads_them() -> None:
    text = (
        "# port = 1\n"
        "port = 5433   # as the shop has it\n"
        "  Shared_Buffers  128MB\n"
        "search_path = '\"$user\", public'\n"
        "note = 'it''s # no comment'\n"
        "empty = ''\n"
        "include_dir 'conf.d'\n"
        "port=5434\n"
    )
    assert cluster.parse(text) == {
        "port": "5434",
        "shared_buffers": "128MB",
        "search_path": '"$user", public',
        "note": "it's # no comment",
        "empty": "",
        "include_dir": "conf.d",
    }


def make(root: Path, title: str, text: str, **more: str) -> None:
    """Create a cluster in Debian's layout; ``more`` are the files of its conf.d."""
    directory = root / title
    (directory / "conf.d").mkdir(parents=True)
    (directory / "postgresql.conf").write_text(text)
    for name, content in more.items():
        (directory / "conf.d" / f"{name}.conf").write_text(content)


def test_the_clusters_of_a_host(tmp_path: Path) -> None:
    make(tmp_path, "17/main", "port = 5433\nunix_socket_directories = '/run/shop, /tmp'\n")
    make(tmp_path, "9/old", "# nothing\n")
    make(
        tmp_path,
        "15/main",
        "port = 1\n",
        langgraph="port = 5432\nhba_file = '/etc/postgresql/15/main/langgraph_hba.conf'\n",
    )
    make(tmp_path, "15/langgraph", "", langgraph="port = 5435\n")
    make(tmp_path, "15/shop", "", langgraph="# a shop of that name\nport = 5436\n")
    (tmp_path / "15" / "half-made").mkdir()
    (tmp_path / "notes").mkdir()
    found = cluster.read_clusters(str(tmp_path))
    assert [(each.title, each.port, each.earlier) for each in found] == [
        ("9/old", 5432, False),
        ("15/langgraph", 5435, False),
        ("15/main", 5432, True),
        ("15/shop", 5436, False),
        ("17/main", 5433, False),
    ]
    assert [found[0].socket_dir, found[4].socket_dir] == ["/var/run/postgresql", "/run/shop"]


def test_a_host_without_postgres(tmp_path: Path) -> None:
    assert cluster.read_clusters(str(tmp_path / "none")) == cluster.installed(str(tmp_path / "none")) == []


def test_what_is_installed(tmp_path: Path) -> None:
    for version in ("15", "17"):
        (tmp_path / version / "bin").mkdir(parents=True)
    (tmp_path / "15" / "bin" / "postgres").touch()
    assert cluster.installed(str(tmp_path)) == [15]


def test_a_cluster_that_is_being_made(tmp_path: Path) -> None:
    make(tmp_path, "15/langgraph", "")
    make(tmp_path, "17/main", "")
    (tmp_path / "17/main" / cluster.MARKER).touch()
    (tmp_path / "17/langgraph").mkdir()
    assert cluster.being_made(str(tmp_path)) is None
    (tmp_path / "17/langgraph" / cluster.MARKER).touch()
    assert cluster.being_made(str(tmp_path)) == 17
    assert cluster.being_made(str(tmp_path / "none")) is None


def test_what_is_being_made_goes_with_its_directory(tmp_path: Path) -> None:
    """A cluster that replaced an unfinished one, such as one that was moved there, is not removed."""
    (tmp_path / "17/langgraph").mkdir(parents=True)
    (tmp_path / "17/langgraph" / cluster.MARKER).touch()
    (tmp_path / "17/langgraph").rename(tmp_path / "aside")
    make(tmp_path, "17/langgraph", "port = 5432\n")
    assert cluster.being_made(str(tmp_path)) is None


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], False),
        (["base/1", "base/4", "base/5", "base/13757", "base/pgsql_tmp", "pg_tblspc"], False),
        (["base/1", "base/16384"], True),
        (["base/1", "pg_tblspc/16390"], True),
    ],
)
def test_databases_of_a_cluster_that_does_not_run(tmp_path: Path, entries: list[str], expected: bool) -> None:
    for entry in entries:
        (tmp_path / "17/langgraph" / entry).mkdir(parents=True)
    assert cluster.holds_databases(17, str(tmp_path)) is expected


EARLIER = Cluster(15, "main", {"port": "5432"}, earlier=True)
# Clusters, claims in those of an earlier version, the requested values -> parts of the messages.
PROBLEMS: dict[str, tuple[list[Cluster], dict[str, t.Any], dict[str, t.Any], list[str]]] = {
    "bare": ([], {}, {}, []),
    "ours": ([OURS, SHOP], {}, {}, []),
    "ours, of the version that is asked for": ([OURS], {}, {"version": 17}, []),
    "ours, of another version": (
        [OURS],
        {},
        {"version": 15},
        ["postgres_version is 15, but the cluster of the deployments is 17/langgraph: the role moves no data"],
    ),
    "two of ours": (
        [Cluster(15, "langgraph"), Cluster(17, "langgraph", {"port": "1"})],
        {},
        {"version": 17},
        ["postgres_version: the host has 15/langgraph and 17/langgraph"],
    ),
    "an unfinished one does not count": ([OURS, SHOP], {}, {"version": 15, "making": 17}, []),
    "one that is half made is cleared away": ([OURS], {}, {"making": 17, "filled": False}, []),
    "one that has databases is not": (
        [OURS],
        {},
        {"making": 17, "filled": True},
        [
            "Postgres 17/langgraph has databases, but /etc/postgresql/17/langgraph/being-made.conf marks it as unfinished"
        ],
    ),
    "the port of a shop": (
        [SHOP],
        {},
        {"port": 5433},
        ["postgres_port 5433 is the port of the Postgres cluster 17/main, which is not ours; set postgres_port"],
    ),
    "another port": ([SHOP], {}, {}, []),
    "claims of an earlier version": (
        [EARLIER],
        {"15/main": ["a", "b"]},
        {},
        [
            "Postgres 15/main has the databases of a, b, which an earlier version of the collection created there; move them"
        ],
    ),
    "an earlier version that does not answer": (
        [EARLIER],
        {"15/main": None},
        {},
        [
            "Postgres 15/main was set up by an earlier version of the collection and cannot be checked for claims; start it"
        ],
    ),
    "an earlier version without claims": ([EARLIER], {"15/main": []}, {"port": 5440}, []),
    "its port": ([EARLIER], {"15/main": []}, {}, ["postgres_port 5432 is the port of the Postgres cluster 15/main"]),
    "an earlier version beside ours, as a copy that was kept": (
        [Cluster(15, "langgraph", {"port": "5440"}), EARLIER],
        {"15/main": ["a"]},
        {"port": 5440},
        [],
    ),
}


@pytest.mark.parametrize(("clusters", "earlier", "asked", "expected"), PROBLEMS.values(), ids=PROBLEMS)
def test_problems(
    clusters: list[Cluster], earlier: dict[str, t.Any], asked: dict[str, t.Any], expected: list[str]
) -> None:
    found = list(cluster.problems(clusters, earlier, **{"version": None, "port": 5432, **asked}))
    assert [line.startswith(begin) for line, begin in zip(found, expected)] == [True] * len(expected), found
    assert len(found) == len(expected)
    assert all("\n" not in line for line in found)


SERVER = Server(100, 50.0, contexts={"max_connections": "postmaster", "port": "postmaster"})


def test_files_that_changed_after_it_read_them() -> None:
    assert cluster.unread(SERVER, {"a": 50.5, "b": 49.0, "c": None, "d": 50.0}) == ["a"]


RESTARTS: dict[str, tuple[tuple[str, ...], dict[str, str], dict[str, str] | None, list[str]]] = {
    "nothing": ((), {"port": "1"}, None, []),
    "the same": ((), {"port": "1"}, {"port": "1"}, []),
    "what it waits for": (("shared_buffers",), {}, None, ["shared_buffers"]),
    "what would be written": (
        (),
        {"port": "1", "max_connections": "100"},
        {"port": "1", "max_connections": "200"},
        ["max_connections"],
    ),
    "what would be taken out": ((), {"port": "1"}, {}, ["port"]),
    "what a reload brings": ((), {"work_mem": "1MB"}, {"work_mem": "2MB"}, []),
    "both": (("port",), {"max_connections": "1"}, {"max_connections": "2"}, ["max_connections", "port"]),
}


@pytest.mark.parametrize(("pending", "now", "wanted", "expected"), RESTARTS.values(), ids=RESTARTS)
def test_what_restarts_it(
    pending: tuple[str, ...], now: dict[str, str], wanted: dict[str, str] | None, expected: list[str]
) -> None:
    server = Server(100, 50.0, pending, SERVER.contexts)
    assert cluster.restarts_for(server, now, wanted) == expected


@pytest.mark.parametrize(
    ("server", "written", "expected"),
    [
        (SERVER, "", 100),
        (SERVER, "400", 400),
        (None, "400", 400),
        (None, "", 0),
        (SERVER, "50", 100),
        (SERVER, "x", 100),
    ],
)
def test_connections_that_must_not_be_undercut(server: Server | None, written: str, expected: int) -> None:
    """Also if a run was killed between the file and the restart, or the server is down."""
    assert cluster.floor(server, {"max_connections": written}) == expected


def test_an_answer_of_the_server() -> None:
    answer = {"max_connections": 200, "loaded": 1.5, "pending": ["port"], "contexts": {"port": "postmaster"}}
    assert cluster.read_server(answer) == Server(200, 1.5, ("port",), {"port": "postmaster"})
    assert cluster.read_server({"max_connections": 200, "loaded": 1.5, "pending": None, "contexts": None})


def test_what_waits_for_a_restart_is_no_error() -> None:
    """The server reports it as an error, in the same words as for an invalid value."""
    answer = {"max_connections": 200, "loaded": 1.5, "pending": ["port"], "contexts": {}}
    lines = [("port", "x.conf: port: no"), ("shared_buffers", "x.conf: no"), (None, "pg_hba.conf: no")]
    assert cluster.read_server(answer, lines).errors == ("x.conf: no", "pg_hba.conf: no")
