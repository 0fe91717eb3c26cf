# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Rules for one deployment beyond the types of its options."""

from __future__ import annotations

import ipaddress
import re
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    AES_KEY_BYTES,
    COMPUTED_VARIABLES,
    OPTION_OF_VARIABLE,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import (
    VARIABLE_NAME,
    fault,
    to_variable,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import IMAGE
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import NAME, NAME_LENGTH
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import (
    Problem,
    printable,
    printable_key,
    type_name,
)

Values = t.Mapping[str, t.Any]

RESERVED_NAMES = frozenset({"postgres", "template0", "template1", "default", "langgraph-admin", "public", "none"})
MEMORY = re.compile(r"([1-9][0-9]{0,15})([bkmg]?)", re.ASCII)
MEMORY_UNITS = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}
# Docs: docker run --memory, "the minimum allowed value is 6m".
LEAST_MEMORY = 6 * 2**20
# Characters with a special meaning in a pattern of a Redis user (docs: ACL, glob-style patterns).
PATTERN_CHARACTERS = re.compile(r"[*?\[\]^\\\s]")
# A host name by RFC 1123, and a path that needs no quoting in the proxy's configuration.
HOSTNAME = re.compile(
    r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"
)
PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
EXTENSION = re.compile(r"[a-z_][a-z0-9_-]*")


def own_problems(values: Values) -> t.Iterator[Problem]:
    """Check the rules that need only this deployment; the caller skips options that already have a problem."""
    for rule in _OWN_RULES:
        for option, finding, remedy in rule(values):
            yield Problem(values["_label"], option, finding, remedy)


def name_problems(values: Values) -> t.Iterator[Problem]:
    """Check a deployment with ``state: stopped``: only its name is used."""
    for option, finding, remedy in _name(values):
        yield Problem(values["_label"], option, finding, remedy)


Finding = tuple[str, str, str]


def _name(values: Values) -> t.Iterator[Finding]:
    name = values["name"]
    if name is None:
        return
    if not NAME.fullmatch(name):
        yield (
            "name",
            "has characters that are not allowed for a Postgres database, a systemd unit and a container",
            "use a-z, 0-9 and inner hyphens, and begin with a letter",
        )
    elif len(name) > NAME_LENGTH:
        yield (
            "name",
            f"has {len(name)} characters",
            f"a Postgres identifier has at most {NAME_LENGTH}: choose a shorter name",
        )
    elif name in RESERVED_NAMES or name.startswith("pg-"):
        yield "name", "is reserved by Postgres or Redis", "choose another name"


def _image(values: Values) -> t.Iterator[Finding]:
    if values["image"] is not None and not IMAGE.fullmatch(values["image"]):
        yield "image", "is not an image reference", "write NAME:TAG or NAME@DIGEST, the name in lower case"


def _address(values: Values) -> t.Iterator[Finding]:
    try:
        ipaddress.ip_address(values["bind_address"] or "127.0.0.1")
    except ValueError:
        yield (
            "bind_address",
            f"'{printable(values['bind_address'])}' is not an IP address",
            "set an address of the host",
        )


def _hostname(values: Values) -> t.Iterator[Finding]:
    if values["hostname"] is not None and not HOSTNAME.fullmatch(values["hostname"]):
        yield "hostname", f"'{printable(values['hostname'])}' is not a host name", "write it as support.example.com"


def _resources(values: Values) -> t.Iterator[Finding]:
    if values["memory"] is None:
        return
    size = MEMORY.fullmatch(values["memory"].lower())
    remedy = "write it as the engine does, for example 512m or 2g"
    if not size:
        yield "memory", f"'{printable(values['memory'])}' is not a size", remedy
    elif int(size[1]) * MEMORY_UNITS[size[2]] < LEAST_MEMORY:
        yield "memory", f"'{values['memory']}' is less than the engine's minimum of 6m", remedy


def _credentials(values: Values) -> t.Iterator[Finding]:
    lite, enterprise, edition = (
        values["langsmith_api_key"],
        values["langgraph_cloud_license_key"],
        values["edition"],
    )
    if edition is None and not lite and not enterprise:
        finding = (
            "neither it nor 'langgraph_cloud_license_key' is set, and the LangGraph server does not start without one"
        )
        yield "langsmith_api_key", finding, "set one of them, or 'edition: none' for an image without a licence check"
    elif lite and enterprise and edition is None:
        remedy = "keep one, or set 'edition: enterprise' if the LangSmith key is for tracing"
        yield "langgraph_cloud_license_key", "is set together with 'langsmith_api_key'", remedy
    elif edition == "lite" and (not lite or enterprise):
        finding = "is set, but the edition is lite" if enterprise else "is missing, and the edition is lite"
        option = "langgraph_cloud_license_key" if enterprise else "langsmith_api_key"
        yield option, finding, "edition lite needs only 'langsmith_api_key'"
    elif edition == "enterprise" and not enterprise:
        yield "langgraph_cloud_license_key", "is missing, and the edition is enterprise", "set the licence key"


def _langsmith(values: Values) -> t.Iterator[Finding]:
    # The SDK refuses LANGSMITH_RUNS_ENDPOINTS together with an endpoint, at the first run.
    if values["langsmith_runs_endpoints"] and (values["langchain_endpoint"] or values["langsmith_endpoint"]):
        other = "langchain_endpoint" if values["langchain_endpoint"] else "langsmith_endpoint"
        yield "langsmith_runs_endpoints", f"is set together with '{other}'", "the LangSmith SDK takes one of them"
    for option in ("langchain_endpoint", "langsmith_endpoint", "langsmith_auth_endpoint"):
        if values[option] and not re.match(r"https?://[^/\s]+", values[option]):
            yield option, "is not a URL", "begin with http:// or https://"
    if values["langgraph_auth_type"] == "langsmith":
        for option in ("langsmith_auth_endpoint", "langsmith_tenant_id"):
            if not values[option]:
                yield option, "is missing, and langgraph_auth_type is langsmith", "set it"


def _server(values: Values) -> t.Iterator[Finding]:
    prefix = values["mount_prefix"]
    if prefix and not prefix.startswith("/"):
        yield "mount_prefix", f"'{printable(prefix)}' does not begin with a slash", f"write /{printable(prefix)}"
    elif prefix and prefix.endswith("/"):
        remedy = "remove the last slash" if prefix.strip("/") else "remove the option"
        yield "mount_prefix", f"'{printable(prefix)}' ends with a slash", remedy
    elif prefix and not PREFIX.fullmatch(prefix):
        yield (
            "mount_prefix",
            f"'{printable(prefix)}' is not a plain path",
            "use letters, digits, '-', '.', '_' and '~' in it",
        )
    key = values["langgraph_aes_key"]
    if key and len(key.encode()) not in AES_KEY_BYTES:
        yield "langgraph_aes_key", f"has {len(key.encode())} bytes", "a key has 16, 24 or 32 bytes"
    if values["redis_key_prefix"] and PATTERN_CHARACTERS.search(values["redis_key_prefix"]):
        finding = f"'{printable(values['redis_key_prefix'])}' has a character that is special in a Redis pattern"
        yield "redis_key_prefix", finding, "use letters, digits, ':', '-', '_' and '.', or leave it out"


def _extensions(values: Values) -> t.Iterator[Finding]:
    for name in values["extensions"]:
        if not EXTENSION.fullmatch(name):
            yield (
                "extensions",
                f"'{printable(name)}' is not the name of an extension",
                "write it as CREATE EXTENSION does",
            )


def _variables(values: Values) -> t.Iterator[Finding]:
    for name, value in values["env"].items():
        found = _variable(name, value)
        if found:
            yield f"env.{printable_key(name)}", *found


def _variable(name: t.Any, value: t.Any) -> tuple[str, str] | None:
    """Return the finding about a user's variable and its remedy; None if it is valid."""
    if not isinstance(name, str) or not VARIABLE_NAME.fullmatch(name):
        return fault("", "")
    if name in COMPUTED_VARIABLES:
        return "is set by the collection", f"remove it: {COMPUTED_VARIABLES[name]}"
    if name in OPTION_OF_VARIABLE:
        return "is set by the collection", f"use the option '{OPTION_OF_VARIABLE[name]}'"
    if value is None:
        return "has no value", "set a value, or remove it"
    if not isinstance(value, (str, int, float)):
        return f"is {type_name(value)}", "write it as a string"
    return fault(name, to_variable(value))


_OWN_RULES: tuple[t.Callable[[t.Any], t.Iterator[Finding]], ...] = (
    _name,
    _image,
    _address,
    _hostname,
    _resources,
    _credentials,
    _langsmith,
    _server,
    _extensions,
    _variables,
)
