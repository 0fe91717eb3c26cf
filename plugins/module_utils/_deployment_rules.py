# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What no type can say: rules for one deployment, and rules between the deployments of a list."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._environment import VARIABLE_NAME
from ansible_collections.selfhost.langgraph.plugins.module_utils._problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._settings import (
    AES_KEY_BYTES,
    COMPUTED_VARIABLES,
    CONNECTIONS_BESIDE_POOL,
    DEFAULT_POOL_SIZE,
    OPTION_OF_VARIABLE,
)

if t.TYPE_CHECKING:
    from ansible_collections.selfhost.langgraph.plugins.module_utils._deployments import Surroundings

    Values = t.Mapping[str, t.Any]

# Docs: a Postgres identifier has at most 63 bytes (NAMEDATALEN - 1); a host name's label too (RFC 1035).
NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
NAME_LENGTH = 63
RESERVED_NAMES = frozenset({"postgres", "template0", "template1", "default", "langgraph-admin", "public", "none"})
MEMORY = re.compile(r"[1-9][0-9]*[bkmgBKMG]?")
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
EXTENSION = re.compile(r"[a-z_][a-z0-9_-]*")
# Docs: Postgres keeps superuser_reserved_connections (3); the rest is for backups, monitoring and people.
RESERVED_CONNECTIONS = 13


def own_problems(values: Values) -> t.Iterator[Problem]:
    """Rules that need only this deployment; options that already have a problem are skipped by the caller."""
    for rule in _OWN_RULES:
        for option, finding, remedy in rule(values):
            yield Problem(values["_label"], option, finding, remedy)


Finding = tuple[str, str, str]


def _name(values: Values) -> t.Iterator[Finding]:
    name = values["name"]
    if name is None:
        return
    if not NAME.fullmatch(name):
        yield (
            "name",
            "has characters that a Postgres database, a systemd unit and a container cannot share",
            "use a-z, 0-9 and hyphens inside, beginning with a letter",
        )
    elif len(name) > NAME_LENGTH:
        yield "name", f"has {len(name)} characters", f"a Postgres identifier holds {NAME_LENGTH}: choose a shorter one"
    elif name in RESERVED_NAMES or name.startswith("pg-"):
        yield "name", "is a name that Postgres or Redis keep for themselves", "choose another one"


def _image(values: Values) -> t.Iterator[Finding]:
    if values["image"] is not None and not IMAGE.fullmatch(values["image"]):
        yield "image", "is not an image reference", "write NAME:TAG or NAME@DIGEST"


def _address(values: Values) -> t.Iterator[Finding]:
    try:
        ipaddress.ip_address(values["bind_address"] or "127.0.0.1")
    except ValueError:
        yield "bind_address", f"'{values['bind_address']}' is not an IP address", "give an address of the host"


def _resources(values: Values) -> t.Iterator[Finding]:
    if values["memory"] is not None and not MEMORY.fullmatch(values["memory"]):
        yield "memory", f"'{values['memory']}' is not a size", "write it as the engine does, for example 512m or 2g"


def _credentials(values: Values) -> t.Iterator[Finding]:
    lite, enterprise, edition = (
        values["langsmith_api_key"],
        values["langgraph_cloud_license_key"],
        values["edition"],
    )
    if edition is None and not lite and not enterprise:
        remedy = "give it, or 'langgraph_cloud_license_key', or 'edition: none' for an image that checks no licence"
        yield "langsmith_api_key", "the server needs a credential and has none", remedy
    elif lite and enterprise and edition is None:
        remedy = "keep one, or say 'edition: enterprise' if the LangSmith key is for tracing"
        yield "langgraph_cloud_license_key", "is given together with 'langsmith_api_key'", remedy
    elif edition == "lite" and (not lite or enterprise):
        finding = "is given, but the edition is lite" if enterprise else "is missing, and the edition is lite"
        option = "langgraph_cloud_license_key" if enterprise else "langsmith_api_key"
        yield option, finding, "edition lite takes 'langsmith_api_key' alone"
    elif edition == "enterprise" and not enterprise:
        yield "langgraph_cloud_license_key", "is missing, and the edition is enterprise", "give the licence key"


def _langsmith(values: Values) -> t.Iterator[Finding]:
    # The SDK refuses LANGSMITH_RUNS_ENDPOINTS beside an endpoint, at the first run.
    if values["langsmith_runs_endpoints"] and (values["langchain_endpoint"] or values["langsmith_endpoint"]):
        other = "langchain_endpoint" if values["langchain_endpoint"] else "langsmith_endpoint"
        yield "langsmith_runs_endpoints", f"is given together with '{other}'", "the LangSmith SDK takes one of them"
    for option in ("langchain_endpoint", "langsmith_endpoint", "langsmith_auth_endpoint"):
        if values[option] and not re.match(r"https?://[^/\s]+", values[option]):
            yield option, "is not a URL", "begin with http:// or https://"
    if values["langgraph_auth_type"] == "langsmith":
        for option in ("langsmith_auth_endpoint", "langsmith_tenant_id"):
            if not values[option]:
                yield option, "is missing, and langgraph_auth_type is langsmith", "give it"


def _server(values: Values) -> t.Iterator[Finding]:
    prefix = values["mount_prefix"]
    if prefix and not prefix.startswith("/"):
        yield "mount_prefix", f"'{prefix}' does not begin with a slash", f"write /{prefix}"
    elif prefix and prefix.endswith("/"):
        yield "mount_prefix", f"'{prefix}' ends with a slash", "leave the last slash out"
    key = values["langgraph_aes_key"]
    if key and len(key.encode()) not in AES_KEY_BYTES:
        yield "langgraph_aes_key", f"has {len(key.encode())} bytes", "a key has 16, 24 or 32 bytes"


def _extensions(values: Values) -> t.Iterator[Finding]:
    for name in values["extensions"]:
        if not EXTENSION.fullmatch(name):
            yield "extensions", f"'{name}' is not the name of an extension", "write it as CREATE EXTENSION takes it"


def _variables(values: Values) -> t.Iterator[Finding]:
    for name, value in values["env"].items():
        option = f"env.{name}"
        if not isinstance(name, str) or not VARIABLE_NAME.fullmatch(name):
            yield option, "is not the name of a variable", "use letters, digits and underscores"
        elif name in COMPUTED_VARIABLES:
            yield option, "belongs to the collection", f"remove it: {COMPUTED_VARIABLES[name]}"
        elif name in OPTION_OF_VARIABLE:
            yield option, "belongs to the collection", f"use the option '{OPTION_OF_VARIABLE[name]}'"
        elif value is None:
            yield option, "has no value", "give it one, or remove it"
        elif not isinstance(value, (str, int, float)):
            yield option, f"is a {type(value).__name__}", "write it as text"
        elif isinstance(value, str) and re.search(r"[\n\r\0]", value):
            yield option, "has a line break", "the engine's environment file cannot hold one: encode it, as base64 say"


_OWN_RULES: tuple[t.Callable[[t.Any], t.Iterator[Finding]], ...] = (
    _name,
    _image,
    _address,
    _resources,
    _credentials,
    _langsmith,
    _server,
    _extensions,
    _variables,
)


def shared_problems(checked: t.Sequence[Values], surroundings: Surroundings) -> t.Iterator[Problem]:
    """Rules between deployments, and between them and the host."""
    present = [values for values in checked if values["state"] != "absent"]
    yield from _twice(checked, "name", "is the name of two deployments", "a name is the identity of one deployment")
    yield from _twice(present, "port", "port {value} is also that of '{other}'", "give each deployment its own port")
    taken = "number {value} is also asked for by '{other}'"
    yield from _twice(present, "redis_number", taken, "leave it out and the collection gives a free one")
    yield from _port_taken(present, surroundings)
    yield from _connections(present, surroundings.max_connections)
    yield from _redis_numbers(present, surroundings.redis_databases)


def _twice(checked: t.Sequence[Values], option: str, finding: str, remedy: str) -> t.Iterator[Problem]:
    seen: dict[t.Any, str] = {}
    for values in checked:
        value = values[option]
        if value is None:
            continue
        if value in seen:
            yield Problem(values["_label"], option, finding.format(value=value, other=seen[value]), remedy)
        seen.setdefault(value, values["_label"])


def _port_taken(present: t.Sequence[Values], surroundings: Surroundings) -> t.Iterator[Problem]:
    moving = {values["name"] for values in present}
    ours = {port: name for name, port in surroundings.deployed.items()}
    for values in present:
        port = values["port"]
        holder = ours.get(port)
        if port not in surroundings.listening or holder in moving:
            continue
        by = f"deployment '{holder}', which is not in the list" if holder else f"'{surroundings.listening[port]}'"
        yield Problem(values["_label"], "port", f"port {port} of the host is taken by {by}", "choose a free port")


def connections_needed(pool: int | None) -> int:
    """Connections that one replica may open."""
    return (pool or DEFAULT_POOL_SIZE) + CONNECTIONS_BESIDE_POOL


def _connections(present: t.Sequence[Values], max_connections: int | None) -> t.Iterator[Problem]:
    if max_connections is None or not present:
        return
    option = "langgraph_postgres_pool_max_size"
    needed = sum(connections_needed(values[option]) for values in present)
    left = max_connections - RESERVED_CONNECTIONS
    if needed > left:
        largest = max(present, key=lambda values: connections_needed(values[option]))
        finding = f"{len(present)} deployments need {needed} connections, and max_connections leaves {left}"
        remedy = f"lower the pools (this one is the largest) or raise max_connections to {needed + RESERVED_CONNECTIONS}"
        yield Problem(largest["_label"], option, finding, remedy)


def _redis_numbers(present: t.Sequence[Values], databases: int | None) -> t.Iterator[Problem]:
    if databases is None:
        return
    if len(present) > databases - 1:
        first_without = present[databases - 1]["_label"] if databases > 0 else present[0]["_label"]
        finding = f"{len(present)} deployments, and Redis has {databases - 1} numbers beside the reserved 0"
        yield Problem(first_without, "redis_number", finding, f"set redis_databases to {len(present) + 1} or more")
    for values in present:
        number = values["redis_number"]
        if number is not None and number >= databases:
            remedy = f"choose 1 to {databases - 1}, or raise redis_databases"
            yield Problem(values["_label"], "redis_number", f"{number} is out of range", remedy)


def image_problems(checked: t.Sequence[Values], images: t.Collection[str] | None) -> t.Iterator[Problem]:
    """Images that neither the host nor an archive has, where nothing may be pulled."""
    if images is None:
        return
    for values in checked:
        if values["state"] != "absent" and values["image"] and normal_reference(values["image"]) not in images:
            remedy = "load it there, list its archive in langgraph_image_archives, or set langgraph_image_pull: missing"
            yield Problem(values["_label"], "image", f"the host has no image '{values['image']}'", remedy)


def normal_reference(image: str) -> str:
    """Add the tag that the engine supposes (docs: docker image reference, default tag ``latest``)."""
    last = image.rpartition("/")[2]
    return image if "@" in image or ":" in last or image.startswith("sha256:") else f"{image}:latest"
