# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Convert the user's list to complete deployments: the first step of the data flow.

All functions are pure: facts about the host and the control node are passed in as CheckContext.
"""

from __future__ import annotations

import ipaddress
import json
import posixpath
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import health_url
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.credentials import aes_key_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    COMPUTED_VARIABLES,
    DEFAULT_DRAIN_SECONDS,
    DEFAULT_POOL_SIZE,
    OPTION_OF_VARIABLE,
    OPTIONS,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import (
    EnvFileError,
    parse_env_file,
    to_variable,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import normal_reference
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.checked import (
    CheckedDeployment,
    PostgresDatabase,
    RedisDatabase,
    Rollout,
    Target,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.connection_budget import (
    pool_connections,
    role_connections,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.list_rules import (
    CheckContext,
    channel_patterns,
    default_prefix,
    image_problems,
    key_patterns,
    shared_problems,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.option_types import check_types
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.passwords import (
    aes_fingerprints,
    derive_password,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.rules import name_problems, own_problems


def check_deployments(raw: t.Sequence[t.Any], context: CheckContext) -> tuple[list[CheckedDeployment], list[Problem]]:
    """Check the whole list; return the complete deployments, in the list's order, or all problems.

    The list of deployments is empty if there is a problem.
    """
    if not raw:
        remedy = "add a deployment, or remove this host from the group langgraph_hosts"
        return [], [Problem("-", "langgraph_deployments", "the list is empty", remedy)]
    problems = list(_own_address_problems(context))
    checked: list[dict[str, t.Any]] = []
    for position, entry in enumerate(raw, start=1):
        values, found = _check_one(entry, position, context)
        problems.extend(found)
        if values is not None:
            checked.append(values)
    reported = {problem.place for problem in problems}
    shared = [*shared_problems(checked, context), *image_problems(checked, context.images)]
    shared += aes_key_problems(checked, context.aes_keys)
    problems.extend(problem for problem in shared if problem.place not in reported)
    return [] if problems else [_complete(values, context) for values in checked], problems


def _own_address_problems(context: CheckContext) -> t.Iterator[Problem]:
    try:
        ipaddress.ip_address(context.bind_address)
    except ValueError:
        finding = f"'{printable(context.bind_address)}' is not an IP address"
        yield Problem("-", "langgraph_bind_address", finding, "set an address of the host")


def _check_one(entry: t.Any, position: int, context: CheckContext) -> tuple[dict[str, t.Any] | None, list[Problem]]:
    if not isinstance(entry, t.Mapping):
        remedy = "write '- name: ...' with image and port below it, and check colons and indentation"
        return None, [Problem(f"entry {position}", "-", "is not a mapping", remedy)]
    label = _label(entry.get("name"), position)
    if entry.get("state") == "absent":
        finding = "'absent' is not accepted any longer, because it kept the data"
        remedy = "write 'state: stopped', which also keeps the revisions; the playbook remove deletes a deployment with its data"
        return None, [Problem(label, "state", finding, remedy)]
    if entry.get("state") == "stopped":
        values, problems = check_types(entry, label)
        return _with_rules(values, label, problems, name_problems)
    merged, problems = _with_env_file(entry, label, context)
    unread = bool(problems) and merged == entry
    values, found = check_types(_with_image_env(merged, context), label)
    values, problems = _with_rules(values, label, problems + found, own_problems)
    if unread:
        # The unreadable file may have set these options: do not report them as missing.
        server = set(OPTION_OF_VARIABLE.values())
        problems = [problem for problem in problems if problem.option in entry or problem.option not in server]
    return values, problems


def _label(name: t.Any, position: int) -> str:
    """Return the deployment's name for messages; never a value of another type, which may be a misplaced secret."""
    named = isinstance(name, (str, int)) and not isinstance(name, bool) and str(name).strip()
    return printable(name) if named else f"entry {position}"


def _with_rules(
    values: dict[str, t.Any], label: str, problems: list[Problem], rules: t.Callable[..., t.Iterator[Problem]]
) -> tuple[dict[str, t.Any], list[Problem]]:
    """Add the problems that the rules find in options without a problem."""
    values["_label"] = label
    broken = {problem.option for problem in problems}
    return values, problems + [problem for problem in rules(values) if problem.option not in broken]


def _with_env_file(
    entry: t.Mapping[str, t.Any], label: str, context: CheckContext
) -> tuple[dict[str, t.Any], list[Problem]]:
    """Merge the env_file: variables with an option become that option, the others go under ``env``."""
    merged = dict(entry)
    path = entry.get("env_file")
    if not isinstance(path, str) or not path.strip():
        return merged, []
    text = context.env_files.get(path)
    if text is None:
        remedy = "set the path of a UTF-8 file on the control node"
        return merged, [Problem(label, "env_file", f"there is no file '{printable(path)}'", remedy)]
    if path in context.inventory_files:
        finding = (
            f"'{printable(path)}' is in the directory of the inventory, where Ansible reads each of its lines as a host"
        )
        remedy = f"move it to the directory above, and write '../{printable(posixpath.basename(path))}'"
        return merged, [Problem(label, "env_file", finding, remedy)]
    try:
        variables = parse_env_file(text)
    except EnvFileError as error:
        return merged, [Problem(label, "env_file", f"{printable(path)}: {error}", "write one NAME=value per line")]
    problems = []
    for name in [name for name in variables if name in COMPUTED_VARIABLES]:
        del variables[name]
        finding = f"{printable(path)} sets {name}"
        problems.append(Problem(label, "env_file", finding, f"remove that line, as {COMPUTED_VARIABLES[name]}"))
    return _fold(merged, variables), problems


def _with_image_env(entry: t.Mapping[str, t.Any], context: CheckContext) -> dict[str, t.Any]:
    """Merge the ``env`` of the image's langgraph.json, if requested; the deployment's own values take precedence.

    Variables that the collection computes are ignored: they may name a developer's own database.
    """
    image = entry.get("image")
    variables = context.image_envs.get(normal_reference(image), {}) if isinstance(image, str) and image else {}
    return _fold(entry, {name: value for name, value in variables.items() if name not in COMPUTED_VARIABLES})


def _fold(entry: t.Mapping[str, t.Any], variables: t.Mapping[str, str]) -> dict[str, t.Any]:
    merged = dict(entry)
    for name in (name for name in variables if name in OPTION_OF_VARIABLE):
        option = OPTION_OF_VARIABLE[name]
        if merged.get(option) is None:
            merged[option] = _from_string(option, variables[name])
    env = entry.get("env")
    rest = {name: value for name, value in variables.items() if name not in OPTION_OF_VARIABLE}
    if rest and (env is None or isinstance(env, t.Mapping)):
        merged["env"] = {**rest, **(env or {})}
    return merged


def _from_string(option: str, value: str) -> t.Any:
    """Convert a variable to the option's type; an invalid value stays a string, which the type check refuses."""
    if OPTIONS[option].kind == "list":
        return [part.strip() for part in value.split(",")]
    if OPTIONS[option].kind == "dict":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _complete(values: dict[str, t.Any], context: CheckContext) -> CheckedDeployment:
    """Return the deployment with defaults and derived values. The result contains secrets."""
    values = {
        **values,
        "bind_address": values["bind_address"] or context.bind_address,
        "langgraph_postgres_pool_max_size": values["langgraph_postgres_pool_max_size"] or DEFAULT_POOL_SIZE,
        "bg_job_shutdown_grace_period_secs": _drain_seconds(values),
        "redis_key_prefix": values["redis_key_prefix"] or default_prefix(values["name"]),
        **{f"{purpose}_password": _password(values, purpose, context) for purpose in ("redis", "postgres")},
    }
    environment = _variables(values)
    return {
        "name": values["name"],
        "state": values["state"],
        "image": values["image"],
        "build": values["build"],
        "database": identifier(values["name"]),
        "redis": _redis(values),
        "postgres": _postgres(values, environment, context),
        "rollout": _rollout(values, environment),
        "health": None if values["state"] == "stopped" else _health(values, context),
    }


def _drain_seconds(values: t.Mapping[str, t.Any]) -> int:
    drain = values["bg_job_shutdown_grace_period_secs"]
    return DEFAULT_DRAIN_SECONDS if drain is None else int(drain)


def _redis(values: t.Mapping[str, t.Any]) -> RedisDatabase:
    return {
        "name": values["name"],
        "redis_db": values["redis_db"],
        "password": values["redis_password"],
        "key_patterns": key_patterns(values),
        "channel_patterns": channel_patterns(values),
        "shared_channels": values["redis_shared_channels"],
    }


def _postgres(
    values: t.Mapping[str, t.Any], environment: t.Mapping[str, str], context: CheckContext
) -> PostgresDatabase:
    name, keys = values["name"], (context.secret_key, context.previous_secret_key)
    size = pool_connections(values["langgraph_postgres_pool_max_size"])
    return {
        "name": name,
        "password": values["postgres_password"],
        # The replicas on all hosts, and all running revisions on each, share one role.
        "connection_limit": max(
            role_connections(size, context.running_revisions, context.extra_revisions),
            context.connections.get(name, 0),
        ),
        "extensions": list(values["extensions"]),
        "aes_keys": aes_fingerprints(name, environment.get("LANGGRAPH_AES_KEY"), keys),
        "accept_new_aes_key": values["accept_new_aes_key"],
    }


def _rollout(values: t.Mapping[str, t.Any], environment: dict[str, str]) -> Rollout:
    return {
        "name": values["name"],
        "state": values["state"],
        "image": values["image"],
        "port": values["port"],
        "bind_address": values["bind_address"],
        "hostname": values["hostname"],
        "prefix": values["mount_prefix"],
        "tls": values["tls"],
        "may_reach": sorted(set(values["may_reach"])),
        "environment": environment,
        "redis_password": values["redis_password"],
        "postgres_password": values["postgres_password"],
        "drain_seconds": values["bg_job_shutdown_grace_period_secs"],
        "memory": values["memory"],
        "cpus": values["cpus"],
        "user": values["user"],
        "read_only": values["read_only"],
    }


def _health(values: t.Mapping[str, t.Any], context: CheckContext) -> Target:
    address = (values["tls"], values["bind_address"], values["port"], values["mount_prefix"])
    return {"name": values["name"], "url": health_url(context.proxy, *address), "host": values["hostname"]}


def _variables(values: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Return the environment of the deployment's revisions, without credentials."""
    options = {option.variable: values[key] for key, option in OPTIONS.items() if option.variable is not None}
    given = {**{name: value for name, value in options.items() if value is not None}, **values["env"]}
    return {name: to_variable(value) for name, value in given.items()}


def _password(values: t.Mapping[str, t.Any], purpose: str, context: CheckContext) -> str:
    given = values[f"{purpose}_password"]
    return given or derive_password(context.secret_key, values["name"], purpose, values["password_generation"])
