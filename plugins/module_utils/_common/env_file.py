# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The environment of a container: the user's .env file, the option of a module, and the engine's environment file.

In between it is a mapping of names to values. The user's file is not parsed with python-dotenv: a control node needs only
ansible-core, and python-dotenv skips lines that it cannot parse, so that a typing error would be a missing variable. A unit test
compares the values.
"""

from __future__ import annotations

import json
import re
import typing as t

Variables = t.Mapping[str, str]
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Maximum bytes of a line for the engine's client (seen: "bufio.Scanner: token too long" from 65536 on).
LONGEST_LINE = 65535
LINE_BREAK = re.compile(r"[\n\r\0]")
_QUOTED = re.compile(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\"""")
# In double quotes, as in python-dotenv.
_ESCAPES = dict(zip("abfnrtv'\"\\", "\a\b\f\n\r\t\v'\"\\"))


class EnvFileError(ValueError):
    """A line of an ``env_file`` cannot be parsed; the message names the line, never its value."""


def parse_env_file(text: str) -> dict[str, str]:
    """Parse a ``.env`` file in the format of the vendor's guide and python-dotenv.

    Accepts comments, blank lines, ``export NAME=value``, single and double quotes, a backslash before a quote or a
    backslash in them, and a trailing `` # comment``. Nothing is expanded. Raises EnvFileError.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(re.split(r"\r\n|\n|\r", text.removeprefix("\ufeff")), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        name, separator, value = re.sub(r"^export\s+", "", stripped).partition("=")
        name = name.strip()
        if not separator or not VARIABLE_NAME.fullmatch(name):
            raise EnvFileError(f"line {number} is not NAME=value")
        if name in variables:
            raise EnvFileError(f"line {number} sets {name} a second time")
        variables[name] = _unquote(value, number)
    return variables


def _unquote(value: str, number: int) -> str:
    if value.strip()[:1] not in ("'", '"'):
        return re.split(r"\s+#", value, maxsplit=1)[0].strip()
    value = value.strip()
    quoted = _QUOTED.match(value)
    rest = value[quoted.end() :].strip() if quoted else ""
    if not quoted or (rest and not rest.startswith("#")):
        raise EnvFileError(f"line {number} has an unterminated quote")
    if quoted[1] is not None:
        return re.sub(r"\\([\\'])", r"\1", quoted[1])
    return re.sub(r"\\(.)", lambda escape: _ESCAPES.get(escape[1], escape[0]), quoted[2])


def to_variable(value: t.Any) -> str:
    """Convert a value to the server's format: booleans in lower case, mappings as JSON, lists with commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, t.Mapping):
        return json.dumps(dict(value), sort_keys=True, separators=(",", ":"))
    if isinstance(value, (list, tuple)):
        return ",".join(str(item) for item in value)
    return str(value)


def to_option(variables: t.Mapping[str, t.Any]) -> str:
    """Return variables as an option of a module: one string, which Ansible hides as a whole.

    Of a mapping it would hide each value, wherever it occurs in the output: a variable with the value ``1`` would hide every 1.
    """
    return json.dumps({str(name): to_variable(value) for name, value in variables.items()}) if variables else ""


def from_option(option: str | None) -> dict[str, str]:
    """Return the variables in an option of a module. Raises ValueError, never with a value."""
    try:
        variables = json.loads(option or "{}")
    except ValueError:
        raise ValueError("is not a mapping of names to values") from None
    if not isinstance(variables, dict):
        raise ValueError("is not a mapping of names to values")
    return {name: to_variable(value) for name, value in variables.items()}


def fault(name: str, value: str) -> tuple[str, str] | None:
    """Return why the engine's environment file cannot contain a variable, and the remedy; None if it can.

    The engine takes the rest of a line literally, without quotes or escapes, so a value must not contain a newline.
    """
    if not VARIABLE_NAME.fullmatch(name):
        return "is not the name of a variable", "use letters, digits and underscores"
    if LINE_BREAK.search(value):
        return "has a line break", "the engine's environment file cannot contain one: encode it, for example as base64"
    if len(f"{name}={value}".encode()) > LONGEST_LINE:
        return "is too long", f"the engine's environment file allows lines of up to {LONGEST_LINE} bytes"
    return None


def render(variables: Variables) -> str:
    """Render the file for the engine's ``--env-file``: one ``NAME=value`` per line, sorted; see fault()."""
    return "".join(f"{name}={variables[name]}\n" for name in sorted(variables))


def parse_rendered(text: str) -> dict[str, str]:
    """Parse the engine's environment file.

    Only a newline ends a line there; a value may contain anything else. A line that is not a variable may be part of a secret.
    """
    pairs = (line.partition("=") for line in text.split("\n"))
    return {name: value for name, separator, value in pairs if separator}
