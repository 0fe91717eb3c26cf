# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Read the parts of an application's ``langgraph.json`` that the collection needs; ``langgraph validate`` checks it all."""

from __future__ import annotations

import json
import posixpath
import re
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import (
    VARIABLE_NAME,
    EnvFileError,
    parse_env_file,
    to_variable,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import printable, type_name

try:
    from docker.utils.build import PatternMatcher
except ImportError:
    PatternMatcher = None

# The only base image whose tag the CLI extends instead of replacing it.
TAGGED_BASE = "/langgraph-server"
_EXACT = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+([a-z0-9.-]*)")


class ConfigError(ValueError):
    """The file is invalid; the message has the reason and contains no value of the file."""


def read_config(text: str) -> dict[str, t.Any]:
    """Parse the file. Raises ConfigError."""
    try:
        config = json.loads(text)
    except ValueError as error:
        raise ConfigError(f"is not JSON ({printable(error)})") from None
    if not isinstance(config, dict):
        raise ConfigError(f"is {type_name(config)}, not a mapping")
    return config


def floats(config: t.Mapping[str, t.Any], base_image: str | None, api_version: str | None) -> bool:
    """Return whether a later build may use another base image: no full version of the server is set.

    Docs: without ``api_version`` the base's tag is only the Python version, which the vendor moves with each release
    (langgraphjs#1955). The only tagged image that the CLI accepts is ``langgraph-server:VERSION`` (0.4.40, config.docker_tag).
    """
    base = str(base_image or config.get("base_image") or "")
    of_base = base.rpartition("/")[2].partition(":")[2] if TAGGED_BASE in base else ""
    exact = any(_EXACT.fullmatch(str(version)) for version in (api_version or config.get("api_version"), of_base))
    return not (exact or config.get("_INTERNAL_docker_tag"))


def ignored_patterns(dockerignore: str) -> list[str]:
    """Return the patterns of a .dockerignore, without comments, empty lines and a byte order mark (docs: .dockerignore)."""
    lines = (line.strip() for line in dockerignore.removeprefix("\ufeff").split("\n"))
    return [line for line in lines if line and not line.startswith("#")]


def copied_env(config: t.Mapping[str, t.Any], dockerignore: str | None) -> str | None:
    """Return the path of the file that ``env`` names if it becomes part of the image, else None.

    The CLI copies the directories in ``dependencies``, except what the .dockerignore next to langgraph.json excludes.
    ``dockerignore`` is the content of that file, None if it does not exist.
    """
    env = config.get("env")
    if not isinstance(env, str) or PatternMatcher is None:
        return None
    path = posixpath.normpath(env)
    copied = [posixpath.normpath(item) for item in config.get("dependencies") or () if str(item).startswith(".")]
    if path.startswith(("../", "/")) or not any(item == "." or path.startswith(f"{item}/") for item in copied):
        return None
    return None if PatternMatcher(ignored_patterns(dockerignore or "")).matches(path) else env


def baked_env(config: t.Mapping[str, t.Any], read_file: t.Callable[[str], str | None]) -> dict[str, str]:
    """Return the variables of ``env``, which the image does not have: a mapping, or the path of a .env file.

    ``read_file`` returns the content of a path relative to the file, None if there is no such file. Raises ConfigError.
    """
    env = config.get("env") or {}
    if isinstance(env, str):
        text = read_file(env)
        if text is None:
            raise ConfigError(f"has '{printable(env)}' as env, but there is no such file")
        try:
            return parse_env_file(text)
        except EnvFileError as error:
            raise ConfigError(f"has '{printable(env)}' as env: {error}") from None
    if not isinstance(env, t.Mapping):
        raise ConfigError(f"has {type_name(env)} as env; it must be a mapping or the path of a file")
    for name in env:
        if not VARIABLE_NAME.fullmatch(str(name)):
            raise ConfigError("has a name in env that is not a valid variable name")
    return {str(name): to_variable(value) for name, value in env.items() if value is not None}
