#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_instance_info
short_description: Read the running settings of the role's Redis instance, and reasons to refuse a change
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Reads the Redis or Valkey instance that the role P(selfhost.langgraph.redis#role) has created or is about to create.
    It compares the running settings, not those in the file, so that the next run finishes the work of a run that was killed.
  - Works on a host that has no Redis yet.
extends_documentation_fragment:
  - selfhost.langgraph._attributes
  - selfhost.langgraph._attributes.info_module
attributes:
  platform:
    platforms: debian
    support: full
options:
  implementation:
    description: The wanted server.
    type: str
    choices: [redis, valkey]
    default: redis
  databases:
    description: How many databases it must have.
    type: int
    required: true
  settings:
    description: Directives that the server must run with, to compare with the values that it reports.
    type: dict
    default: {}
  config_file:
    description: Its configuration file.
    type: path
    default: /etc/langgraph-redis/langgraph.conf
  acl_file:
    description: Its ACL file.
    type: path
    default: /var/lib/langgraph-redis/users.acl
  unix_socket:
    description: Its socket. If the configuration file has another one, that one is used.
    type: path
    default: /run/langgraph-redis/redis.sock
  password_file:
    description: File with the password of its user C(langgraph-admin).
    type: path
    default: /etc/langgraph-redis/admin.password
"""

EXAMPLES = r"""
- name: Check whether Redis runs with its settings
  selfhost.langgraph.redis_instance_info:
    databases: 256
    settings:
      appendonly: "yes"
      maxmemory-policy: noeviction
  register: redis
"""

RETURN = r"""
refusal:
  description: One line that says why the role must not continue; empty if it may.
  returned: always
  type: str
  sample: "redis_databases: 16 is too low, because database 20 is claimed by 'bot': set it to 21 or more, or remove that
    deployment first; nothing was changed"
configured:
  description: Whether the host has a configuration file of the instance.
  returned: always
  type: bool
prepared:
  description: Whether it has the files that are created once, the administrator's password and the ACL file.
  returned: always
  type: bool
answers:
  description: Whether the server accepts the administrator's login and responds.
  returned: always
  type: bool
unit:
  description: State of its unit, as in RV(selfhost.langgraph.unit_info#module:units).
  returned: always
  type: dict
different:
  description: Those of O(settings) that the server does not run with.
  returned: always
  type: dict
  sample: {databases: {wanted: "256", running: "64"}}
restart:
  description: Whether the server must be started or restarted to run with its settings.
  returned: always
  type: bool
restart_because:
  description: Directives and files that the running server has not loaded yet.
  returned: always
  type: list
  elements: str
  sample: [databases]
silent:
  description: One line that says why a server that runs, or listens, and does not respond is not restarted. Empty if it
    responds, or must be restarted because of one of its files; in check mode also if the role would install the library first.
  returned: always
  type: str
  sample: "Redis at /run/langgraph-redis/redis.sock does not respond (MISCONF Errors writing to the AOF file: No space left on
    device) and is not restarted, as that would interrupt all deployments and may not help: fix the cause, or restart it yourself
    (systemctl restart redis-server@langgraph.service), and run the play again"
claims:
  description: Database numbers, by name of the deployment.
  returned: always
  type: dict
  sample: {support-bot: 1}
"""

import os
import socket
import typing as t
from dataclasses import dataclass

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import instance
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import (
    REDIS_IMPORT_ERROR,
    connect,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.instance import Reading
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import require
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import systemd, units

TIMEOUT = 10


@dataclass(frozen=True)
class Response:
    """The response of a server, or why there is none."""

    reading: Reading | None
    why: str = ""
    # Whether it responds, but refuses our password.
    login_refused: bool = False
    # Whether a server listens on its socket.
    listening: bool = False
    # Whether the library that queries it is installed.
    has_library: bool = True


def connection_error(path: str) -> str:
    """Return why nothing listens on a socket, or "". The library would retry for ten seconds before it reports that."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(TIMEOUT)
            probe.connect(path)
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    return ""


def query(path: str, password_file: str, names: t.Collection[str]) -> Response:
    """Query a server through its socket."""
    if REDIS_IMPORT_ERROR is not None:
        return Response(None, "python3-redis is missing", has_library=False)
    error_text = connection_error(path)
    if error_text:
        return Response(None, error_text)
    connection = {"login_uri": None, "login_unix_socket": path, "login_ca_file": None, "login_timeout": TIMEOUT}
    login = {"login_user": instance.ADMINISTRATOR, "login_password": None, "login_password_file": password_file}
    try:
        server = connect({**connection, **login})
        try:
            replies = server.pipeline(instance.queries(names))
        finally:
            server.close()
    except ClaimError as error:
        return Response(None, str(error), type(error.__cause__).__name__ == "AuthenticationError", listening=True)
    # A busy server does not report what is in use; that does not mean that nothing is.
    refused = [str(reply) for reply in replies[1:] if isinstance(reply, Exception)]
    if refused:
        return Response(None, refused[0], listening=True)
    return Response(instance.read_replies(replies), listening=True)


def written(path: str) -> dict[str, str] | None:
    """Return the directives of a file, or None if it does not exist."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return instance.directives(file.read())
    except FileNotFoundError:
        return None


def refusal(params: t.Mapping[str, t.Any], config: t.Mapping[str, str] | None, response: Response) -> str:
    """Return why the role must not continue, or ""."""
    wanted, files = params["implementation"], (params["password_file"], params["acl_file"])
    for there in instance.IMPLEMENTATIONS:
        if there != wanted and os.path.exists(instance.drop_in_of(there)):
            return instance.other_implementation(wanted, there)
    # After a move the claims are here, and the earlier version's file may still exist.
    if response.reading is None or not response.reading.claims:
        for earlier in map(instance.earlier_of, instance.IMPLEMENTATIONS):
            reason = refusal_of_earlier(earlier)
            if reason:
                return reason
    missing = os.path.exists(params["acl_file"]) and not os.path.exists(params["password_file"])
    if missing or response.login_refused:
        return instance.no_password(*files, missing)
    if config is None:
        return ""
    if response.reading is None:
        return instance.unknown_databases(params["databases"], config, response.why)
    return instance.too_few_databases(params["databases"], response.reading)


def refusal_of_earlier(earlier: instance.Earlier) -> str:
    """Return why no instance is created next to a server that an earlier version configured, or ""."""
    before = written(earlier.config)
    if before is None:
        return ""
    response = query(before.get("unixsocket", earlier.socket), earlier.password_file, ())
    if response.reading is None:
        return instance.unknown_claims(earlier, response.why)
    return instance.claims_elsewhere(earlier, response.reading)


def silence(name: str, path: str, unit: t.Mapping[str, t.Any], response: Response, check_mode: bool) -> str:
    """Return why a server that does not respond is not restarted, or "" if one of its files requires a restart."""
    there = unit["active"] or unit["starting"] or response.listening
    if response.reading is not None or not there or unit["stale"]:
        return ""
    # The play would install the library first.
    if check_mode and not response.has_library:
        return ""
    return instance.not_responding(name, path, response.why)


def inspect(params: t.Mapping[str, t.Any], check_mode: bool = False) -> dict[str, t.Any]:
    """Return what the role needs to know, before and after it writes."""
    config = written(params["config_file"])
    # The running process has the socket of the file that it read, whatever is wanted now.
    path = (config or {}).get("unixsocket", params["unix_socket"])
    response = Response(None) if config is None else query(path, params["password_file"], params["settings"])
    name = instance.unit_of(params["implementation"])
    # An upgrade of the package rewrites the distribution's unit, which is no reason to interrupt the deployments.
    files = (params["config_file"], instance.drop_in_of(params["implementation"]))
    unit = units.look([units.Wanted(name, files, unit_files=False)])[name]
    reading = response.reading or Reading()
    settings = {str(key): str(value) for key, value in params["settings"].items()}
    different = instance.differences(settings, reading.settings)
    return {
        "refusal": refusal(params, config, response),
        "configured": config is not None,
        "prepared": all(os.path.exists(params[key]) for key in ("password_file", "acl_file")),
        "answers": response.reading is not None,
        "unit": unit,
        "different": different,
        "silent": "" if config is None else silence(name, path, unit, response, check_mode),
        "restart": not (unit["active"] or unit["starting"]) or unit["stale"] or bool(different),
        "restart_because": [*different, *unit["stale_because"]],
        "claims": reading.claims,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "implementation": {
                "type": "str",
                "choices": list(instance.IMPLEMENTATIONS),
                "default": "redis",
            },
            "databases": {"type": "int", "required": True},
            "settings": {"type": "dict", "default": {}},
            "config_file": {"type": "path", "default": "/etc/langgraph-redis/langgraph.conf"},
            "acl_file": {"type": "path", "default": "/var/lib/langgraph-redis/users.acl"},
            "unix_socket": {"type": "path", "default": "/run/langgraph-redis/redis.sock"},
            "password_file": {"type": "path", "default": "/etc/langgraph-redis/admin.password", "no_log": False},
        },
        supports_check_mode=True,
    )
    require(module, wished=[("redis", REDIS_IMPORT_ERROR)])
    try:
        module.exit_json(**inspect(module.params, module.check_mode))
    except (OSError, systemd.SystemdError) as error:
        module.fail_json(msg=f"cannot read the state of Redis: {error}")


if __name__ == "__main__":
    main()
