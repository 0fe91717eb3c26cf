#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: postgres_cluster_info
short_description: Read which cluster of Postgres is the deployments' and what it runs with
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Lists the clusters of the host as Debian keeps them, in C(/etc/postgresql), and reports of the one that is called C(langgraph)
    whether it has read its files, what a restart of it would bring, and how many connections it allows.
  - Reports in a line each why the role P(selfhost.langgraph.postgres#role) must not change this host, as where the databases of
    deployments lie in another cluster.
  - Clusters of others are not asked anything, but for one that an earlier version of the collection has set up. That one is asked
    for its claims, as the user C(postgres) of the host.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: debian
    support: full
options:
  version:
    description: The version that the inventory asks for. Left out, the one of the cluster that exists will do.
    type: int
  port:
    description: The port that the inventory asks for.
    type: int
    default: 5432
  settings:
    description:
      - What the role's file of settings is to say, as its text. RV(ours.restart) then has what would restart the server because of
        it.
      - Left out, it says what it says now.
    type: str
requirements:
  - The Python library C(psycopg) 3.1 or newer where the module runs, to ask a server that runs (Debian's C(python3-psycopg)).
seealso:
  - module: selfhost.langgraph.postgres_database_info
"""

EXAMPLES = r"""
- name: Look at the cluster of the deployments
  selfhost.langgraph.postgres_cluster_info:
  register: cluster

- name: Show what it waits for
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
  description: Version of a cluster that a run has begun to make and has not finished; null where there is none.
  returned: success
  type: int
package_settings:
  description: Whether the file is there that keeps the package from making a cluster, as it is while apt runs.
  returned: success
  type: bool
ours:
  description: The cluster of the deployments; null where there is none yet.
  returned: success
  type: dict
  contains:
    version:
      description: Its major version.
      type: int
    enabled:
      description: Whether it starts at boot by itself. Debian starts all clusters at boot, but only while C(postgresql.service) is on.
      type: bool
    answers:
      description: Whether its server answers.
      type: bool
    error:
      description: Why it does not.
      type: str
    allows:
      description: The C(max_connections) that it runs with; null where it does not answer.
      type: int
    max_connections:
      description: The same, or what its file says where that is more. A run that was killed before the restart has written that.
      type: int
    reload:
      description: Files that changed after the server last read them.
      type: list
      elements: str
    restart:
      description: Settings for which the server has to restart.
      type: list
      elements: str
    errors:
      description: What is wrong with its files, with which it would not restart.
      type: list
      elements: str
    socket_dir:
      description: Whether the directory of its socket is there and belongs to its user.
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
  description: Why nothing may be changed on this host, a line each.
  returned: success
  type: list
  elements: str
  sample:
    - >-
      postgres_version is 17, and the cluster of the deployments is 15/langgraph: it moves no data, so a second cluster would be
      empty; leave postgres_version out or set it to 15
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
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import claims_of, read_world
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import units

try:
    import psycopg
except ImportError:
    pass  # reported by connection.py

# A server that does not answer at once is not waited for: what follows would wait, too.
_TIMEOUT = 10
_WANTS = "/etc/systemd/system/multi-user.target.wants"


def login(user: str, socket_dir: str, port: int) -> dict[str, t.Any]:
    """The way to a cluster by peer authentication, as options of the claim modules."""
    nothing = {name: option.get("default") for name, option in POSTGRES_ARGS.items()}
    way = {"peer_user": user, "login_user": user, "login_unix_socket": socket_dir, "login_port": port}
    return {**nothing, **way, "login_timeout": _TIMEOUT}


def running_port(version: int, fallback: int) -> int:
    """The port that our server runs with, which may be another than the file's."""
    try:
        with open(f"{_cluster.DATA_ROOT}/{version}/{_cluster.CLUSTER}/postmaster.pid", encoding="utf-8") as file:
            return int(file.read().splitlines()[3])
    except (OSError, IndexError, ValueError):
        return fallback


def ask(cluster: _cluster.Cluster) -> tuple[_cluster.Server | None, str]:
    """What our server says of itself, else why it does not."""
    if PSYCOPG_IMPORT_ERROR is not None:
        return None, "the library psycopg is missing"
    port = running_port(cluster.version, cluster.port)
    if not os.path.exists(f"{_cluster.SOCKET_DIR}/.s.PGSQL.{port}"):
        return None, f"there is no socket for port {port} in {_cluster.SOCKET_DIR}"
    try:
        with connect(login(_cluster.USER, _cluster.SOCKET_DIR, port)) as connection:
            # What an error is called is compared.
            connection.execute("SET lc_messages TO 'C'")
            in_files = connection.execute(_cluster.FILES_QUERY).fetchone()
            row = connection.execute(_cluster.QUERY).fetchone()
    except (ClaimError, psycopg.Error) as error:
        return None, str(error).strip()
    return (_cluster.read_server(row[0], in_files[0]), "") if row and in_files else (None, "it gives no answer")


def claims_in(cluster: _cluster.Cluster) -> list[str] | None:
    """The deployments whose claims lie in a cluster of others; None where it does not answer."""
    if PSYCOPG_IMPORT_ERROR is not None:
        return None
    try:
        with connect(login("postgres", cluster.socket_dir, cluster.port)) as connection:
            return [str(claim["name"]) for claim in claims_of(read_world(connection, []))]
    except (ClaimError, psycopg.Error):
        return None


def socket_dir_is_ours() -> bool:
    """Whether our server can make its socket there."""
    try:
        return os.stat(_cluster.SOCKET_DIR).st_uid == pwd.getpwnam(_cluster.USER).pw_uid
    except (OSError, KeyError):
        return False


def look_at_ours(cluster: _cluster.Cluster, settings: str | None) -> dict[str, t.Any]:
    """What our cluster runs with, beside what its files say or are to say."""
    directory = f"{_cluster.CONFIG_ROOT}/{cluster.title}"
    files = [f"{directory}/{name}" for name in ("postgresql.conf", _cluster.SETTINGS, _cluster.ACCESS)]
    server, error = ask(cluster)
    now = _cluster.parse(_cluster.read_text(files[1]) or "")
    wanted = None if settings is None else _cluster.parse(settings)
    return {
        "version": cluster.version,
        "enabled": os.path.islink(f"{_WANTS}/postgresql@{cluster.version}-{cluster.name}.service"),
        "answers": server is not None,
        "error": error,
        "allows": server.max_connections if server else None,
        "max_connections": _cluster.floor(server, now),
        "reload": _cluster.unread(server, {path: units.changed(path) for path in files}) if server else [],
        "restart": _cluster.restarts_for(server, now, wanted) if server else [],
        "errors": list(server.errors) if server else [],
        "socket_dir": socket_dir_is_ours(),
    }


def look(version: int | None, port: int, settings: str | None) -> dict[str, t.Any]:
    """All that the module returns."""
    clusters, making = _cluster.read_clusters(), _cluster.being_made()
    ours = _cluster.ours_of(clusters, making)
    filled = making is not None and _cluster.holds_databases(making)
    earlier = {cluster.title: claims_in(cluster) for cluster in clusters if cluster.earlier and not ours}
    return {
        "clusters": [{"version": each.version, "name": each.name, "port": each.port} for each in clusters],
        "installed": _cluster.installed(),
        "making": making,
        "package_settings": os.path.exists(_cluster.PACKAGE_SETTINGS),
        "ours": look_at_ours(ours[0], settings) if ours else None,
        "problems": list(
            _cluster.problems(clusters, earlier, version=version, port=port, making=making, filled=filled)
        ),
    }


def main() -> None:
    """Look and report."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "int"},
            "port": {"type": "int", "default": 5432},
            "settings": {"type": "str"},
        },
        supports_check_mode=True,
    )
    require(module, wished=[("psycopg", PSYCOPG_IMPORT_ERROR)])
    module.exit_json(**look(module.params["version"], module.params["port"], module.params["settings"]))


if __name__ == "__main__":
    main()
