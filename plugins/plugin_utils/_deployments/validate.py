# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""From the list that a user writes to complete deployments: the first station of the data's way.

Everything here is pure: what the host and the control node know is handed in as Surroundings.
"""

from __future__ import annotations

import ipaddress
import json
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import public_url
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
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.passwords import (
    aes_fingerprints,
    credential_fingerprint,
    derive_password,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.connection_budget import (
    pool_connections,
    role_connections,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.list_rules import (
    Surroundings,
    channel_patterns,
    default_prefix,
    image_problems,
    key_patterns,
    shared_problems,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.option_types import check_types
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.rules import name_problems, own_problems


def check_deployments(
    raw: t.Sequence[t.Any], surroundings: Surroundings
) -> tuple[list[dict[str, t.Any]], list[Problem]]:
    """Check the whole list; give the complete deployments, in the list's order, or every problem found.

    The deployments are only meaningful where there is no problem.
    """
    if not raw:
        remedy = "give at least one deployment, or leave this host out of the group langgraph_hosts"
        return [], [Problem("-", "langgraph_deployments", "the list is empty", remedy)]
    problems = list(_own_address_problems(surroundings))
    checked: list[dict[str, t.Any]] = []
    for position, entry in enumerate(raw, start=1):
        values, found = _check_one(entry, position, surroundings)
        problems.extend(found)
        if values is not None:
            checked.append(values)
    told = {problem.place for problem in problems}
    shared = [*shared_problems(checked, surroundings), *image_problems(checked, surroundings.images)]
    shared += aes_key_problems(checked, surroundings.aes_keys)
    problems.extend(problem for problem in shared if problem.place not in told)
    return [] if problems else [_complete(values, surroundings) for values in checked], problems


def _own_address_problems(surroundings: Surroundings) -> t.Iterator[Problem]:
    try:
        ipaddress.ip_address(surroundings.bind_address)
    except ValueError:
        finding = f"'{printable(surroundings.bind_address)}' is not an IP address"
        yield Problem("-", "langgraph_bind_address", finding, "give an address of the host")


def _check_one(
    entry: t.Any, position: int, surroundings: Surroundings
) -> tuple[dict[str, t.Any] | None, list[Problem]]:
    if not isinstance(entry, t.Mapping):
        remedy = "write a mapping with at least name, image and port"
        return None, [Problem(f"number {position}", "-", "is not a mapping", remedy)]
    label = _label(entry.get("name"), position)
    if entry.get("state") == "absent":
        values, problems = check_types(entry, label)
        return _judged(values, label, problems, name_problems)
    merged, problems = _with_env_file(entry, label, surroundings)
    unread = bool(problems) and merged == entry
    values, found = check_types(_with_image_env(merged, surroundings), label)
    values, problems = _judged(values, label, problems + found, own_problems)
    if unread:
        # What the file would have set is not known: that it is missing is no finding of its own.
        server = set(OPTION_OF_VARIABLE.values())
        problems = [problem for problem in problems if problem.option in entry or problem.option not in server]
    return values, problems


def _label(name: t.Any, position: int) -> str:
    """How messages call a deployment: never by something that is no name, for a secret may stand there by mistake."""
    named = isinstance(name, (str, int)) and not isinstance(name, bool) and str(name).strip()
    return printable(name) if named else f"number {position}"


def _judged(
    values: dict[str, t.Any], label: str, problems: list[Problem], rules: t.Callable[..., t.Iterator[Problem]]
) -> tuple[dict[str, t.Any], list[Problem]]:
    """Add what the rules find of options that have no problem yet."""
    values["_label"] = label
    broken = {problem.option for problem in problems}
    return values, problems + [problem for problem in rules(values) if problem.option not in broken]


def _with_env_file(
    entry: t.Mapping[str, t.Any], label: str, surroundings: Surroundings
) -> tuple[dict[str, t.Any], list[Problem]]:
    """Fold the env_file in: variables with an option become that option, the rest goes under ``env``."""
    merged = dict(entry)
    path = entry.get("env_file")
    if not isinstance(path, str) or not path.strip():
        return merged, []
    text = surroundings.env_files.get(path)
    if text is None:
        remedy = "give the path of a file in UTF-8 on the control node"
        return merged, [Problem(label, "env_file", f"there is no file '{printable(path)}'", remedy)]
    try:
        variables = parse_env_file(text)
    except EnvFileError as error:
        return merged, [Problem(label, "env_file", f"{printable(path)}: {error}", "write NAME=value, one a line")]
    problems = []
    for name in [name for name in variables if name in COMPUTED_VARIABLES]:
        del variables[name]
        finding = f"{printable(path)} sets {name}"
        problems.append(Problem(label, "env_file", finding, f"remove the line: {COMPUTED_VARIABLES[name]}"))
    return _fold(merged, variables), problems


def _with_image_env(entry: t.Mapping[str, t.Any], surroundings: Surroundings) -> dict[str, t.Any]:
    """Fold in the ``env`` of the image's langgraph.json, where that is wanted; what the deployment says itself wins.

    What the collection computes is left out: a developer's own database may stand there.
    """
    image = entry.get("image")
    variables = surroundings.image_envs.get(normal_reference(image), {}) if isinstance(image, str) and image else {}
    return _fold(entry, {name: value for name, value in variables.items() if name not in COMPUTED_VARIABLES})


def _fold(entry: t.Mapping[str, t.Any], variables: t.Mapping[str, str]) -> dict[str, t.Any]:
    merged = dict(entry)
    for name in (name for name in variables if name in OPTION_OF_VARIABLE):
        option = OPTION_OF_VARIABLE[name]
        if merged.get(option) is None:
            merged[option] = _from_text(option, variables[name])
    env = entry.get("env")
    rest = {name: value for name, value in variables.items() if name not in OPTION_OF_VARIABLE}
    if rest and (env is None or isinstance(env, t.Mapping)):
        merged["env"] = {**rest, **(env or {})}
    return merged


def _from_text(option: str, value: str) -> t.Any:
    """A variable's text as the option's kind; what does not fit stays text and is refused as such."""
    if OPTIONS[option].kind == "list":
        return [part.strip() for part in value.split(",")]
    if OPTIONS[option].kind == "dict":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _complete(values: dict[str, t.Any], surroundings: Surroundings) -> dict[str, t.Any]:
    """Fill in what the user left to the collection. The result holds secrets."""
    name = values["name"]
    pool = values["langgraph_postgres_pool_max_size"] or DEFAULT_POOL_SIZE
    drain = values["bg_job_shutdown_grace_period_secs"]
    drain = DEFAULT_DRAIN_SECONDS if drain is None else drain
    prefix = values["redis_key_prefix"] or default_prefix(name)
    bind_address = values["bind_address"] or surroundings.bind_address
    filled = {
        **values,
        "langgraph_postgres_pool_max_size": pool,
        "bg_job_shutdown_grace_period_secs": drain,
        "redis_key_prefix": prefix,
    }
    variables = {
        option.variable: to_variable(filled[key])
        for key, option in OPTIONS.items()
        if option.variable is not None and filled[key] is not None
    }
    variables.update({key: to_variable(value) for key, value in values["env"].items()})
    redis_password, postgres_password = (_password(values, purpose, surroundings) for purpose in ("redis", "postgres"))
    return {
        **{key: values[key] for key in ("name", "image", "port", "state", "memory", "cpus", "user", "read_only")},
        "bind_address": bind_address,
        "hostname": values["hostname"],
        "prefix": values["mount_prefix"],
        "tls": values["tls"],
        "may_reach": sorted(set(values["may_reach"])),
        "url": None
        if values["state"] == "absent"
        else public_url(values["tls"], bind_address, values["port"], _public_prefix(values, surroundings)),
        "drain_seconds": drain,
        "redis_db": values["redis_db"],
        "redis_password": redis_password,
        "redis_key_patterns": key_patterns(values),
        "redis_channel_patterns": channel_patterns(values),
        "redis_shared_channels": values["redis_shared_channels"],
        "database": identifier(name),
        "postgres_password": postgres_password,
        "credential": credential_fingerprint(redis_password, postgres_password),
        # One role serves the replicas of every host, and on each the revisions that run side by side.
        "connection_limit": max(
            role_connections(pool_connections(pool), surroundings.running_revisions, surroundings.extra_revisions),
            surroundings.connections.get(name, 0),
        ),
        "extensions": list(values["extensions"]),
        "aes_keys": aes_fingerprints(
            name, variables.get("LANGGRAPH_AES_KEY"), (surroundings.secret_key, surroundings.previous_secret_key)
        ),
        "accept_new_aes_key": values["accept_new_aes_key"],
        "variables": variables,
    }


def _public_prefix(values: t.Mapping[str, t.Any], surroundings: Surroundings) -> str | None:
    """Where the proxy answers ``/ok``: a server itself keeps it at its root."""
    return None if surroundings.proxy == "none" else values["mount_prefix"]


def _password(values: t.Mapping[str, t.Any], purpose: str, surroundings: Surroundings) -> str:
    given = values[f"{purpose}_password"]
    return given or derive_password(surroundings.secret_key, values["name"], purpose, values["password_generation"])
