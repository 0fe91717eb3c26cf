# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The Postgres clusters on a host in Debian's layout, which of them is ours, and which settings it has not loaded yet.

No state is stored: if a run is killed between writing a file and a restart, the next run finishes its work, because the
files are compared with the values that the server reports. Clusters of others are read, and never changed.
"""

from __future__ import annotations

import os
import re
import typing as t
from dataclasses import dataclass, field

CLUSTER, USER, SOCKET_DIR = "langgraph", "langgraph-postgres", "/run/langgraph-postgres"
CONFIG_ROOT, DATA_ROOT, PROGRAMS = "/etc/postgresql", "/var/lib/postgresql", "/usr/lib/postgresql"
# The usual socket directory of other clusters.
COMMON_SOCKET_DIR = "/var/run/postgresql"
DEFAULT_PORT = 5432
# Our files in a cluster's directory: the settings, and who may connect.
SETTINGS, ACCESS = "conf.d/langgraph.conf", "pg_hba.conf"
# The file by which an earlier version of the collection configured the package's own cluster.
_EARLIER = "langgraph_hba.conf"
# In a cluster's directory until the cluster is complete, with the options of its creation. It is removed with the cluster,
# so no other cluster is ever taken for unfinished.
MARKER = "being-made.conf"
# The databases of a new cluster have lower OIDs.
_FIRST_DATABASE = 16384
# Keeps the package from creating a cluster of its own while apt runs.
PACKAGE_SETTINGS = "/etc/postgresql-common/createcluster.d/langgraph.conf"

_LINE = re.compile(r"\s*([A-Za-z_][\w.]*)\s*(?:=|\s)\s*('(?:[^']|'')*'|[^\s#]*)")


def parse(text: str) -> dict[str, str]:
    """Return the settings in a file like ``postgresql.conf``, by lower-case name; the last value applies."""
    found = {}
    for line in text.splitlines():
        if match := _LINE.match(line):
            name, value = match.groups()
            found[name.lower()] = value[1:-1].replace("''", "'") if value.startswith("'") else value
    return found


@dataclass(frozen=True)
class Cluster:
    """A cluster as described by its files; ``earlier`` is whether an earlier version of the collection set it up."""

    version: int
    name: str
    settings: t.Mapping[str, str] = field(default_factory=dict)
    earlier: bool = False

    @property
    def port(self) -> int:
        """The port, which is also part of its socket's name."""
        port = self.settings.get("port", "")
        return int(port) if port.isdecimal() else DEFAULT_PORT

    @property
    def socket_dir(self) -> str:
        """The directory of its socket."""
        return self.settings.get("unix_socket_directories", "").split(",")[0].strip() or COMMON_SOCKET_DIR

    @property
    def title(self) -> str:
        """Its name in messages and in Debian's tools, such as 17/langgraph."""
        return f"{self.version}/{self.name}"


def read_clusters(root: str = CONFIG_ROOT) -> list[Cluster]:
    """Return all clusters of the host, sorted by version and name."""
    found = []
    for version in sorted((entry for entry in _entries(root) if entry.isdecimal()), key=int):
        for name in _entries(os.path.join(root, version)):
            directory = os.path.join(root, version, name)
            text = read_text(os.path.join(directory, "postgresql.conf"))
            if text is None:
                continue
            ours = read_text(os.path.join(directory, SETTINGS)) or ""
            more = [read_text(os.path.join(directory, "conf.d", entry)) for entry in _entries(f"{directory}/conf.d")]
            settings = parse("\n".join([text, *(each or "" for each in more)]))
            found.append(Cluster(int(version), name, settings, name != CLUSTER and _EARLIER in ours))
    return found


def _entries(directory: str) -> list[str]:
    try:
        return sorted(entry for entry in os.listdir(directory) if not entry.startswith("."))
    except OSError:
        return []


def read_text(path: str) -> str | None:
    """Return the content of a file, or None if it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return None


def ours_of(clusters: t.Iterable[Cluster], making: int | None) -> list[Cluster]:
    """Return the clusters of the deployments, without the unfinished one, whose version is ``making``."""
    return [cluster for cluster in clusters if cluster.name == CLUSTER and cluster.version != making]


def being_made(root: str = CONFIG_ROOT) -> int | None:
    """Return the version of a cluster whose creation a run has not finished, or None."""
    versions = (int(entry) for entry in _entries(root) if entry.isdecimal())
    made = (version for version in versions if os.path.exists(f"{root}/{version}/{CLUSTER}/{MARKER}"))
    return min(made, default=None)


def holds_databases(version: int, root: str = DATA_ROOT) -> bool:
    """Return whether our cluster has more databases than a new one; it need not run."""
    directory = f"{root}/{version}/{CLUSTER}"
    oids = (int(entry) for entry in _entries(f"{directory}/base") if entry.isdecimal())
    return any(oid >= _FIRST_DATABASE for oid in oids) or bool(_entries(f"{directory}/pg_tblspc"))


def installed(root: str = PROGRAMS) -> list[int]:
    """Return the installed versions of the server, configured or not."""
    versions = (int(entry) for entry in _entries(root) if entry.isdecimal())
    return sorted(version for version in versions if os.path.exists(f"{root}/{version}/bin/postgres"))


# Reasons to refuse changes


def problems(
    clusters: t.Sequence[Cluster],
    earlier: t.Mapping[str, t.Sequence[str] | None],
    *,
    version: int | None,
    port: int,
    making: int | None = None,
    filled: bool = False,
) -> t.Iterator[str]:
    """Yield one line per reason why nothing may be changed on this host.

    ``earlier`` has the names of the deployments whose claims are in other clusters, by title, or None if the cluster does
    not respond. ``version`` and ``port`` are the requested values; without a version any will do. ``filled`` is whether
    the unfinished cluster has databases, in which case it is not removed.
    """
    if making is not None and filled:
        yield (
            f"Postgres {making}/langgraph has databases, but /etc/postgresql/{making}/langgraph/being-made.conf marks it as "
            "unfinished; remove that file to keep the cluster, or delete the cluster and its databases with pg_dropcluster"
        )
    ours = ours_of(clusters, making)
    if len(ours) > 1:
        first, second = (cluster.title for cluster in ours[:2])
        yield (
            f"postgres_version: the host has {first} and {second}, and the deployments can use only one; keep the one with their data "
            "and remove the other with pg_dropcluster"
        )
    elif ours and version is not None and version != ours[0].version:
        yield (
            f"postgres_version is {version}, but the cluster of the deployments is {ours[0].title}: the role moves no data, so "
            f"a second cluster would be empty; leave postgres_version out or set it to {ours[0].version}"
        )
    for title, names in earlier.items() if not ours else ():
        if names is None:
            yield (
                f"Postgres {title} was set up by an earlier version of the collection and cannot be checked for claims; start "
                "it and run the play again (docs/move-services.md)"
            )
        elif names:
            yield (
                f"Postgres {title} has the databases of {', '.join(names)}, which an earlier version of the collection created "
                "there; move them to a cluster of their own as described in docs/move-services.md"
            )
    # A cluster whose databases must be moved first is already reported.
    moving = [] if ours else [title for title, names in earlier.items() if names != []]
    for cluster in clusters:
        if cluster.name != CLUSTER and cluster.port == port and cluster.title not in moving:
            yield (
                f"postgres_port {port} is the port of the Postgres cluster {cluster.title}, which is not ours; set "
                "postgres_port to another one"
            )


# What our server has not loaded yet


@dataclass(frozen=True)
class Server:
    """What our server reports about itself."""

    max_connections: int
    loaded: float  # when it last read its files without an error, in seconds since the epoch
    pending: tuple[str, ...] = ()  # settings that wait for a restart
    contexts: t.Mapping[str, str] = field(default_factory=dict)  # when a setting takes effect, by name
    errors: tuple[str, ...] = ()  # errors in its files


# The errors in its files, by name of the setting. This query must come first: while a session reads the files, it finds
# out which settings wait for a restart, and reports those as errors too.
FILES_QUERY = """
SELECT coalesce(pg_catalog.json_agg(pg_catalog.json_build_array(f.name, f.line)), '[]') FROM (
  SELECT pg_catalog.lower(name) AS name,
    pg_catalog.concat(pg_catalog.regexp_replace(sourcefile, '.*/', ''), ', line ', sourceline, ': ', name, ': ', error) AS line
  FROM pg_catalog.pg_file_settings WHERE error IS NOT NULL
  UNION ALL
  SELECT NULL, pg_catalog.concat('pg_hba.conf, line ', line_number, ': ', error)
  FROM pg_catalog.pg_hba_file_rules WHERE error IS NOT NULL) f
"""
QUERY = """
SELECT pg_catalog.json_build_object(
  'max_connections', CAST(pg_catalog.current_setting('max_connections') AS pg_catalog.int4),
  'loaded', EXTRACT(epoch FROM pg_catalog.pg_conf_load_time()),
  'pending', (SELECT coalesce(pg_catalog.json_agg(name ORDER BY name), '[]') FROM pg_catalog.pg_settings WHERE pending_restart),
  'contexts', (SELECT pg_catalog.json_object_agg(name, context) FROM pg_catalog.pg_settings WHERE context = 'postmaster'))
"""


def read_server(answer: t.Mapping[str, t.Any], in_files: t.Iterable[tuple[str | None, str]] = ()) -> Server:
    """Convert the results of QUERY and FILES_QUERY."""
    pending = tuple(answer["pending"] or ())
    return Server(
        int(answer["max_connections"]),
        float(answer["loaded"]),
        pending,
        dict(answer["contexts"] or {}),
        tuple(line for name, line in in_files if name not in pending),
    )


def unread(server: Server, changed: t.Mapping[str, float | None]) -> list[str]:
    """Return the files that changed after the server last read them; ``changed`` has their times, None if one is missing."""
    return sorted(path for path, time in changed.items() if time is not None and time > server.loaded)


def restarts_for(server: Server, now: t.Mapping[str, str], wanted: t.Mapping[str, str] | None) -> list[str]:
    """Return the settings that need a restart: those already pending, and those that ``wanted`` changes in the file."""
    texts = {} if wanted is None else wanted
    names = {} if wanted is None else {name for name in {*now, *texts} if now.get(name) != texts.get(name)}
    return sorted({*server.pending, *(name for name in names if server.contexts.get(name) == "postmaster")})


def floor(server: Server | None, settings: t.Mapping[str, str]) -> int:
    """Return the lowest permitted ``max_connections``: the greater of the running value and the one in its file."""
    written = settings.get("max_connections", "")
    return max(server.max_connections if server else 0, int(written) if written.isdecimal() else 0)
