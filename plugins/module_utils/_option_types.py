# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Types and ranges of a deployment's options: raw YAML in, checked values and problems out."""

from __future__ import annotations

import difflib
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._problems import Problem
from ansible_collections.selfhost.langgraph.plugins.module_utils._settings import OPTIONS, SECRET_OPTIONS, Option

_WORDS = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "dict": "a mapping",
    "list": "a list",
}
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class WrongType(ValueError):
    """The value is not of the option's kind."""


def _as_int(value: t.Any) -> int:
    if isinstance(value, str) and value.strip().isdigit():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    raise WrongType


def _as_float(value: t.Any) -> float:
    if isinstance(value, bool):
        raise WrongType
    try:
        return float(value)
    except (TypeError, ValueError):
        raise WrongType from None


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
    """Convert one deployment's options; ``label`` names it in the problems.

    Gives the values of every known option (its default, or None, where not given; an explicit null counts as not
    given) and the problems found.
    """
    problems = [_unknown(label, str(key)) for key in raw if key not in OPTIONS]
    values: dict[str, t.Any] = {}
    for name, option in OPTIONS.items():
        given = raw.get(name)
        if given is None:
            values[name] = option.default
            if option.required:
                problems.append(Problem(label, name, "is missing", f"give it as {_WORDS[option.kind]}"))
            continue
        try:
            values[name] = _CONVERT[option.kind](given)
        except WrongType:
            values[name] = option.default
            problems.append(_wrong_type(label, name, option, given))
            continue
        problems.extend(_range_problems(label, name, option, values[name]))
    return values, problems


def _unknown(label: str, key: str) -> Problem:
    close = difflib.get_close_matches(key, OPTIONS, n=1)
    remedy = f"did you mean '{close[0]}'?" if close else "remove it, or put a variable of the application into 'env'"
    return Problem(label, key, "is not an option of a deployment", remedy)


def _wrong_type(label: str, name: str, option: Option, given: t.Any) -> Problem:
    kind = next((word for type_, word in _GIVEN if isinstance(given, type_)), type(given).__name__)
    shown = f" ({given})" if name not in SECRET_OPTIONS and isinstance(given, (str, int, float)) else ""
    wanted = _WORDS[option.kind] + (" of texts" if option.kind == "list" else "")
    return Problem(label, name, f"is {kind}{shown}", f"it must be {wanted}")


_GIVEN: tuple[tuple[t.Any, str], ...] = (
    (bool, "true or false"),
    ((int, float), "a number"),
    (str, "text"),
    (t.Mapping, "a mapping"),
    ((list, tuple), "a list with something else than texts"),
)


def _range_problems(label: str, name: str, option: Option, value: t.Any) -> t.Iterator[Problem]:
    if option.kind == "str" and not value.strip():
        yield Problem(label, name, "is empty", "give it a value or remove it")
    elif isinstance(value, str) and ("\n" in value or "\r" in value):
        yield Problem(label, name, "has a line break", "write it on one line")
    elif option.choices and value not in option.choices:
        shown = f"'{value}' is unknown" if name not in SECRET_OPTIONS else "is unknown"
        yield Problem(label, name, shown, f"choose one of {', '.join(option.choices)}")
    elif option.minimum is not None and value < option.minimum:
        yield Problem(label, name, f"{value} is too small", f"it must be at least {option.minimum:g}")
    elif option.maximum is not None and value > option.maximum:
        yield Problem(label, name, f"{value} is too large", f"it must be at most {option.maximum:g}")
