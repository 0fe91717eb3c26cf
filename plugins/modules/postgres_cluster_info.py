#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_cluster_info
short_description: Read the Postgres clusters of a host, and the running settings of the deployments' cluster
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Lists the clusters of the host in Debian's layout, in C(/etc/postgresql), and reports for the cluster C(langgraph) whether
    it has loaded its files, which settings need a restart, and how many connections it allows.
  - Reports one line per reason why the role P(selfhost.langgraph.postgres#role) must not change this host, for example if the
    databases of deployments are in another cluster.
  - Clusters of others are not queried, except one that an earlier version of the collection set up. That one is queried for its
    claims, as the user C(postgres) of the host.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: debian
    support: full
options:
  version:
    description: The requested version. If omitted, the version of the existing cluster is accepted.
    type: int
  port:
    description: The requested port.
    type: int
    default: 5432
  settings:
    description:
      - Wanted content of the role's file of settings. RV(ours.restart) then also has the settings in it that need a restart.
      - If omitted, the content is assumed to be unchanged.
    type: str
requirements:
  - The Python library C(psycopg) 3.1 or newer on the host that the module runs on, to query a running server (Debian's
    C(python3-psycopg)).
seealso:
  - module: selfhost.langgraph.postgres_database_info
"""

EXAMPLES = r"""
- name: Read the cluster of the deployments
  selfhost.langgraph.postgres_cluster_info:
  register: cluster

- name: Show which settings wait for a restart
  ansible.builtin.debug:
    msg: "{{ cluster.ours.version }} waits for a restart because of {{ cluster.ours.restart | join(', ') }}"
  when: cluster.ours is not none
"""

RETURN = r"""
clusters:
  description: All clusters of the host.
  returned: success
  type: list
  elements: dict
  contains:
    version:
      description: Its major version.
      type: int
    name:
      description: Its name.
      type: str
    port:
      description: The port in its files.
      type: int
  sample:
    - {version: 17, name: langgraph, port: 5432}
installed:
  description: Versions whose server is installed.
  returned: success
  type: list
  elements: int
  sample: [17]
making:
  description: Version of a cluster whose creation a run has not finished; null if there is none.
  returned: success
  type: int
package_settings:
  description: Whether the file exists that keeps the package from creating a cluster, as it does while apt runs.
  returned: success
  type: bool
ours:
  description: The cluster of the deployments; null if there is none yet.
  returned: success
  type: dict
  contains:
    version:
      description: Its major version.
      type: int
    enabled:
      description: Whether its own unit starts at boot. Debian starts all clusters at boot, but only if C(postgresql.service) is
        enabled.
      type: bool
    answers:
      description: Whether its server responds.
      type: bool
    error:
      description: Why it does not respond.
      type: str
    allows:
      description: The C(max_connections) that it runs with; null if it does not respond.
      type: int
    max_connections:
      description: The same, or the value in its file if that is higher, as after a run that was killed before the restart.
      type: int
    reload:
      description: Files that changed after the server last read them.
      type: list
      elements: str
    restart:
      description: Settings that need a restart of the server.
      type: list
      elements: str
    errors:
      description: Errors in its files, with which it would not restart.
      type: list
      elements: str
    socket_dir:
      description: Whether the directory of its socket exists and belongs to its user.
      type: bool
  sample:
    version: 17
    enabled: true
    answers: true
    error: ''
    allows: 200
    max_connections: 200
    reload: []
    restart: []
    errors: []
    socket_dir: true
problems:
  description: The reasons why nothing may be changed on this host, one line each.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      postgres_version is 17, but the cluster of the deployments is 15/langgraph: the role moves no data, so a second cluster
      would be empty; leave postgres_version out or set it to 15
"""

import os
import pwd
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import cluster as _cluster
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import (
    POSTGRES_ARGS,
    PSYCOPG_IMPORT_ERROR,
    connect,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import claims_of, read_state
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd, units

try:
    import psycopg
except ImportError:
    pass  # reported by connection.py

# Seconds; a server that does not respond by then would delay the rest of the play too.
_TIMEOUT = 10


def login(user: str, socket_dir: str, port: int) -> dict[str, t.Any]:
    """Return the connection to a cluster by peer authentication, as options of the claim modules."""
    defaults = {name: option.get("default") for name, option in POSTGRES_ARGS.items()}
    connection = {"peer_user": user, "login_user": user, "login_unix_socket": socket_dir, "login_port": port}
    return {**defaults, **connection, "login_timeout": _TIMEOUT}


def running_port(version: int, fallback: int) -> int:
    """Return the port that our server runs with, which may differ from that in its file."""
    try:
        with open(f"{_cluster.DATA_ROOT}/{version}/{_cluster.CLUSTER}/postmaster.pid", encoding="utf-8") as file:
            return int(file.read().splitlines()[3])
    except (OSError, IndexError, ValueError):
        return fallback


def query(cluster: _cluster.Cluster) -> tuple[_cluster.Server | None, str]:
    """Query our server; return its state, or why it does not respond."""
    if PSYCOPG_IMPORT_ERROR is not None:
        return None, "the library psycopg is missing"
    port = running_port(cluster.version, cluster.port)
    if not os.path.exists(f"{_cluster.SOCKET_DIR}/.s.PGSQL.{port}"):
        return None, f"there is no socket for port {port} in {_cluster.SOCKET_DIR}"
    try:
        with connect(login(_cluster.USER, _cluster.SOCKET_DIR, port)) as connection:
            # Error messages are compared, so they must not be translated.
            connection.execute("SET lc_messages TO 'C'")
            in_files = connection.execute(_cluster.FILES_QUERY).fetchone()
            row = connection.execute(_cluster.QUERY).fetchone()
    except (ClaimError, psycopg.Error) as error:
        return None, str(error).strip()
    return (_cluster.read_server(row[0], in_files[0]), "") if row and in_files else (None, "it returns no rows")


def claims_in(cluster: _cluster.Cluster) -> list[str] | None:
    """Return the deployments whose claims are in a cluster of others, or None if it does not respond."""
    if PSYCOPG_IMPORT_ERROR is not None:
        return None
    try:
        with connect(login("postgres", cluster.socket_dir, cluster.port)) as connection:
            return [str(claim["name"]) for claim in claims_of(read_state(connection, []))]
    except (ClaimError, psycopg.Error):
        return None


def socket_dir_is_ours() -> bool:
    """Return whether our server can create its socket."""
    try:
        return os.stat(_cluster.SOCKET_DIR).st_uid == pwd.getpwnam(_cluster.USER).pw_uid
    except (OSError, KeyError):
        return False


def inspect_ours(cluster: _cluster.Cluster, settings: str | None) -> dict[str, t.Any]:
    """Compare the running settings of our cluster with the current or wanted content of its files."""
    directory = f"{_cluster.CONFIG_ROOT}/{cluster.title}"
    files = [f"{directory}/{name}" for name in ("postgresql.conf", _cluster.SETTINGS, _cluster.ACCESS)]
    server, error = query(cluster)
    now = _cluster.parse(_cluster.read_text(files[1]) or "")
    wanted = None if settings is None else _cluster.parse(settings)
    return {
        "version": cluster.version,
        "enabled": systemd.starts_at_boot(f"postgresql@{cluster.version}-{cluster.name}.service"),
        "answers": server is not None,
        "error": error,
        "allows": server.max_connections if server else None,
        "max_connections": _cluster.floor(server, now),
        "reload": _cluster.unread(server, {path: units.changed(path) for path in files}) if server else [],
        "restart": _cluster.restarts_for(server, now, wanted) if server else [],
        "errors": list(server.errors) if server else [],
        "socket_dir": socket_dir_is_ours(),
    }


def inspect(version: int | None, port: int, settings: str | None) -> dict[str, t.Any]:
    """Return the result of the module."""
    clusters, making = _cluster.read_clusters(), _cluster.being_made()
    ours = _cluster.ours_of(clusters, making)
    filled = making is not None and _cluster.holds_databases(making)
    earlier = {cluster.title: claims_in(cluster) for cluster in clusters if cluster.earlier and not ours}
    return {
        "clusters": [{"version": each.version, "name": each.name, "port": each.port} for each in clusters],
        "installed": _cluster.installed(),
        "making": making,
        "package_settings": os.path.exists(_cluster.PACKAGE_SETTINGS),
        "ours": inspect_ours(ours[0], settings) if ours else None,
        "problems": list(
            _cluster.problems(clusters, earlier, version=version, port=port, making=making, filled=filled)
        ),
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "int"},
            "port": {"type": "int", "default": 5432},
            "settings": {"type": "str"},
        },
        supports_check_mode=True,
    )
    require(module, wished=[("psycopg", PSYCOPG_IMPORT_ERROR)])
    module.exit_json(**inspect(module.params["version"], module.params["port"], module.params["settings"]))


if __name__ == "__main__":
    main()
