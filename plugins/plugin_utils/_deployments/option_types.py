# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Check types and ranges of a deployment's options: from raw YAML to checked values and problems.

Not with ansible-core's ArgumentSpecValidator: it converts what is an error here (a number as an image, ``"a,b"`` as a list,
``8123.0`` as a port). A unit test compares them.
"""

from __future__ import annotations

import difflib
import math
import re
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    COMPUTED_VARIABLES,
    OPTION_OF_VARIABLE,
    OPTIONS,
    SECRET_OPTIONS,
    Option,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import (
    Problem,
    printable,
    printable_key,
    type_name,
)

_WORDS = {
    "str": "a string",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping",
    "list": "a list",
}
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
# Characters that a value in the engine's environment file cannot contain.
LINE_BREAK = re.compile(r"[\n\r\0]")


class WrongType(ValueError):
    """The value does not have the option's type."""


def _as_int(value: t.Any) -> int:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise WrongType


def _as_float(value: t.Any) -> float:
    if isinstance(value, bool):
        raise WrongType
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise WrongType from None
    if not math.isfinite(number):
        raise WrongType
    return number


def _as_bool(value: t.Any) -> bool:
    if isinstance(value, bool):
        return bool(value)
    if isinstance(value, str) and value.lower() in _BOOLEANS:
        return _BOOLEANS[value.lower()]
    raise WrongType


def _as_str(value: t.Any) -> str:
    if not isinstance(value, str):
        raise WrongType
    return str(value)


def _as_dict(value: t.Any) -> dict[str, t.Any]:
    if not isinstance(value, t.Mapping):
        raise WrongType
    return dict(value)


def _as_list(value: t.Any) -> list[str]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, str) for item in value):
        raise WrongType
    return [str(item) for item in value]


_CONVERT: dict[str, t.Callable[[t.Any], t.Any]] = {
    "str": _as_str,
    "int": _as_int,
    "float": _as_float,
    "bool": _as_bool,
    "dict": _as_dict,
    "list": _as_list,
}


def check_types(raw: t.Mapping[str, t.Any], label: str) -> tuple[dict[str, t.Any], list[Problem]]:
    """Convert one deployment's options; ``label`` is its name in the problems.

    Returns the values of all known options and the problems. An option that is not set, or is null, has its default, or
    None. A deployment with ``state: stopped`` needs only its name.
    """
    problems = [_unknown(label, str(key)) for key in raw if key not in OPTIONS]
    values: dict[str, t.Any] = {}
    for name, option in OPTIONS.items():
        given = raw.get(name)
        values[name] = option.default
        if given is None:
            if option.required and (name == "name" or raw.get("state") != "stopped"):
                problems.append(Problem(label, name, "is missing", f"set it to {_WORDS[option.kind]}"))
            continue
        if isinstance(given, str) and not given.strip():
            problems.append(Problem(label, name, "is empty", "set a value or remove it"))
            continue
        try:
            values[name] = _CONVERT[option.kind](given)
        except WrongType:
            problems.append(_wrong_type(label, name, option, given))
            continue
        problems.extend(_range_problems(label, name, option, values[name]))
    return values, problems


def _unknown(label: str, key: str) -> Problem:
    finding = "is not an option of a deployment"
    if key in COMPUTED_VARIABLES:
        return Problem(label, key, finding, f"remove it: {COMPUTED_VARIABLES[key]}")
    close = [OPTION_OF_VARIABLE[key]] if key in OPTION_OF_VARIABLE else []
    close += difflib.get_close_matches(key.lower(), OPTIONS, n=1)
    remedy = f"did you mean '{close[0]}'?" if close else "remove it, or put a variable of the application into 'env'"
    return Problem(label, printable_key(key), finding, remedy)


def _wrong_type(label: str, name: str, option: Option, given: t.Any) -> Problem:
    value = f" ({printable(given)})" if name not in SECRET_OPTIONS and isinstance(given, (str, int, float)) else ""
    mixed = " with items that are not strings" if isinstance(given, (list, tuple)) and option.kind == "list" else ""
    wanted = _WORDS[option.kind] + (" of strings" if option.kind == "list" else "")
    return Problem(label, name, f"is {type_name(given)}{mixed}{value}", f"it must be {wanted}")


def _range_problems(label: str, name: str, option: Option, value: t.Any) -> t.Iterator[Problem]:
    strings = value if isinstance(value, list) else [value] if isinstance(value, str) else []
    if any(not item.strip() for item in strings):
        yield Problem(label, name, "has an empty item", "set a value or remove it")
    elif any(LINE_BREAK.search(item) for item in strings):
        yield Problem(label, name, "has a line break", "write it on one line")
    elif option.kind == "dict" and name != "env" and not _fits_json(value):
        yield Problem(
            label,
            name,
            "contains a value that JSON cannot represent",
            "use strings as keys, and strings and numbers as values",
        )
    elif option.choices and value not in option.choices:
        found = f"'{printable(value)}' is unknown" if name not in SECRET_OPTIONS else "is unknown"
        yield Problem(label, name, found, f"choose one of {', '.join(option.choices)}")
    elif option.minimum is not None and value < option.minimum:
        yield Problem(label, name, f"{value} is too small", f"it must be at least {option.minimum:g}")
    elif option.maximum is not None and value > option.maximum:
        yield Problem(label, name, f"{value} is too large", f"it must be at most {option.maximum:g}")


def _fits_json(value: t.Any) -> bool:
    if isinstance(value, t.Mapping):
        return all(isinstance(key, str) and _fits_json(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return all(_fits_json(item) for item in value)
    return value is None or isinstance(value, (str, int)) or (isinstance(value, float) and math.isfinite(value))
