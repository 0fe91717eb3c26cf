#!/usr/bin/python
# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: redis_instance_info
short_description: Read what the Redis of the role redis runs with, and why a change of it would be refused
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Reads the instance of Redis or Valkey that the role P(selfhost.langgraph.redis#role) has made, or that it is about to make.
    It compares what the server runs with, and not what a file says, so that a run that was killed is finished by the next one.
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
    description: The server that is wanted.
    type: str
    choices: [redis, valkey]
    default: redis
  databases:
    description: How many numbers it is to have.
    type: int
    required: true
  settings:
    description: Directives that the server is to run with, to compare with what it reports.
    type: dict
    default: {}
  config_file:
    description: Its configuration file.
    type: path
    default: /etc/langgraph-redis/langgraph.conf
  acl_file:
    description: Its file of users.
    type: path
    default: /var/lib/langgraph-redis/users.acl
  unix_socket:
    description: Its socket. Where the configuration file names another one, that is used.
    type: path
    default: /run/langgraph-redis/redis.sock
  password_file:
    description: File with the password of its user C(langgraph-admin).
    type: path
    default: /etc/langgraph-redis/admin.password
"""

EXAMPLES = r"""
- name: Does Redis run with what it is to run with?
  selfhost.langgraph.redis_instance_info:
    databases: 256
    settings:
      appendonly: "yes"
      maxmemory-policy: noeviction
  register: look
"""

RETURN = r"""
refusal:
  description: One line that says why the role must not go on; empty where nothing is in the way.
  returned: always
  type: str
  sample: "redis_databases: 16 is too low, for number 20 holds the claim of 'bot': set it to 21 or more, or remove that
    deployment first; nothing was changed"
configured:
  description: Whether the host has a configuration file of the instance.
  returned: always
  type: bool
prepared:
  description: Whether it has what is made once, the administrator's password and the file of users.
  returned: always
  type: bool
answers:
  description: Whether the server answers the administrator.
  returned: always
  type: bool
unit:
  description: How its unit is, as in RV(selfhost.langgraph.unit_info#module:units).
  returned: always
  type: dict
different:
  description: Those of O(settings) with which the server does not run.
  returned: always
  type: dict
  sample: {databases: {wanted: "256", running: "64"}}
restart:
  description: Whether the server has to be started or restarted to run with what it is to run with.
  returned: always
  type: bool
restart_because:
  description: Directives and files with which a server that runs does not run yet.
  returned: always
  type: list
  elements: str
  sample: [databases]
silent:
  description: One line that says why a server that runs, or listens, and does not answer is not restarted. Empty where it answers, or
    has to be restarted for one of its files. In check mode also where the role would install the library first.
  returned: always
  type: str
  sample: "Redis at /run/langgraph-redis/redis.sock does not answer (MISCONF Errors writing to the AOF file: No space left on
    device), and is not restarted, as that would interrupt all deployments and may not help: cure that, or restart it yourself
    (systemctl restart redis-server@langgraph.service), and run the play again"
claims:
  description: Deployments that hold a number, with the number.
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
class Asked:
    """What a server says, or why it says nothing."""

    reading: Reading | None
    why: str = ""
    # Whether it answers, but not to us.
    stranger: bool = False
    # Whether somebody listens on its socket.
    heard: bool = False
    # Whether we have what it takes to ask.
    able: bool = True


def knock(path: str) -> str:
    """Why nobody listens on a socket. The library would try for ten seconds before it says so."""
    try:
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(TIMEOUT)
            probe.connect(path)
    except OSError as error:
        return f"{path}: {error.strerror or error}"
    return ""


def ask(path: str, password_file: str, names: t.Collection[str]) -> Asked:
    """What a server says through its socket, or why it says nothing."""
    if REDIS_IMPORT_ERROR is not None:
        return Asked(None, "python3-redis is missing", able=False)
    silent = knock(path)
    if silent:
        return Asked(None, silent)
    way = {"login_uri": None, "login_unix_socket": path, "login_ca_file": None, "login_timeout": TIMEOUT}
    login = {"login_user": instance.ADMINISTRATOR, "login_password": None, "login_password_file": password_file}
    try:
        server = connect({**way, **login})
        try:
            replies = server.pipeline(instance.questions(names))
        finally:
            server.close()
    except ClaimError as error:
        return Asked(None, str(error), type(error.__cause__).__name__ == "AuthenticationError", heard=True)
    # A busy server does not say what is in use; that is not the same as nothing.
    refused = [str(reply) for reply in replies[1:] if isinstance(reply, Exception)]
    if refused:
        return Asked(None, refused[0], heard=True)
    return Asked(instance.read_replies(replies), heard=True)


def written(path: str) -> dict[str, str] | None:
    """The directives of a file; None where it is missing."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return instance.directives(file.read())
    except FileNotFoundError:
        return None


def refusal(params: t.Mapping[str, t.Any], config: t.Mapping[str, str] | None, asked: Asked) -> str:
    """Why the role must not go on, whatever it would do first."""
    wanted, files = params["implementation"], (params["password_file"], params["acl_file"])
    for there in instance.IMPLEMENTATIONS:
        if there != wanted and os.path.exists(instance.drop_in_of(there)):
            return instance.other(wanted, there)
    # Who has moved has the claims here, and maybe the file of before.
    if asked.reading is None or not asked.reading.claims:
        for earlier in map(instance.earlier_of, instance.IMPLEMENTATIONS):
            said = refusal_of_earlier(earlier)
            if said:
                return said
    missing = os.path.exists(params["acl_file"]) and not os.path.exists(params["password_file"])
    if missing or asked.stranger:
        return instance.no_password(*files, missing)
    if config is None:
        return ""
    if asked.reading is None:
        return instance.not_asked(params["databases"], config, asked.why)
    return instance.lowered(params["databases"], asked.reading)


def refusal_of_earlier(earlier: instance.Earlier) -> str:
    """Why nothing is made beside a server that an earlier version has configured."""
    before = written(earlier.config)
    if before is None:
        return ""
    asked = ask(before.get("unixsocket", earlier.socket), earlier.password_file, ())
    if asked.reading is None:
        return instance.not_asked_for_claims(earlier, asked.why)
    return instance.moved(earlier, asked.reading)


def silence(name: str, path: str, unit: t.Mapping[str, t.Any], asked: Asked, check_mode: bool) -> str:
    """Why a server that does not answer is left alone; nothing where one of its files is a reason for a restart."""
    there = unit["active"] or unit["starting"] or asked.heard
    if asked.reading is not None or not there or unit["stale"]:
        return ""
    # The play itself would install the library first.
    if check_mode and not asked.able:
        return ""
    return instance.silent(name, path, asked.why)


def look(params: t.Mapping[str, t.Any], check_mode: bool = False) -> dict[str, t.Any]:
    """Everything that the role has to know, before it writes and after it."""
    config = written(params["config_file"])
    # The process that runs has the socket of the file that it read, whatever is wanted now.
    path = (config or {}).get("unixsocket", params["unix_socket"])
    asked = Asked(None) if config is None else ask(path, params["password_file"], params["settings"])
    name = instance.unit_of(params["implementation"])
    # An upgrade of the package writes the distribution's unit anew, and is no reason to interrupt the deployments.
    files = (params["config_file"], instance.drop_in_of(params["implementation"]))
    unit = units.look([units.Wanted(name, files, unit_files=False)])[name]
    reading = asked.reading or Reading()
    settings = {str(key): str(value) for key, value in params["settings"].items()}
    different = instance.differences(settings, reading.settings)
    return {
        "refusal": refusal(params, config, asked),
        "configured": config is not None,
        "prepared": all(os.path.exists(params[key]) for key in ("password_file", "acl_file")),
        "answers": asked.reading is not None,
        "unit": unit,
        "different": different,
        "silent": "" if config is None else silence(name, path, unit, asked, check_mode),
        "restart": not (unit["active"] or unit["starting"]) or unit["stale"] or bool(different),
        "restart_because": [*different, *unit["stale_because"]],
        "claims": reading.claims,
    }


def main() -> None:
    """Look and report."""
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
        module.exit_json(**look(module.params, module.check_mode))
    except (OSError, systemd.SystemdError) as error:
        module.fail_json(msg=f"cannot look at Redis: {error}")


if __name__ == "__main__":
    main()
