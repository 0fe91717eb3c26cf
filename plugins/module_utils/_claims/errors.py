# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Words that both claim modules share: names, marks and the refusal."""

from __future__ import annotations

import hashlib
import json
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
NAME_LENGTH = 63  # what a Postgres identifier (NAMEDATALEN - 1) and a host name's label (RFC 1035) hold
# What a mark can hold beside the deployment's name.
_KINDS = {
    "redis_number": int,
    "redis_server": str,
    "redis_address": str,
    "owner": str,
    "aes": str,
    "login_of": str,
    "extensions": dict,
}
_SECOND = ".b"
OWNER = re.compile(r"[A-Za-z0-9_-]{1,64}")
MARK = "selfhost.langgraph"  # the key of our JSON in comments, and the prefix of our keys in Redis


class ClaimError(Exception):
    """The server cannot be used as asked; the text is for the person at the keyboard."""


class Refused(ClaimError):
    """What was asked for would be wrong, so nothing was changed."""

    def __init__(self, problems: t.Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = list(problems)


# user:password@host:port,host:port/path?options, where what a password must not hold raw cannot stand.
_URI = re.compile(
    r"[a-z+]+://([^@:/?#\s]*(:[^@:/?#\s]*)?@)?(\[[0-9A-Fa-f:.]+\]|[^@:/?#\s,]*)(:[0-9]*)?(,[^@/?#\s]*)?(/[^@?#\s]*)?(\?[^@#\s]*)?"
)


def demand_uri(uri: str) -> None:
    """Refuse what is read wrongly: libraries take a raw '/' or '@' in a password for its end, and print the rest."""
    if not _URI.fullmatch(uri):
        raise ClaimError(
            "login_uri is not SCHEME://USER:PASSWORD@HOST:PORT/...; percent-encode what is special in the password, as"
            " '@' (%40), '/' (%2F), ':' (%3A), '#' (%23) and '?' (%3F)"
        )


def identifier(name: str) -> str:
    """Name the Postgres database and role of a deployment: names have no underscore, so no two share one."""
    return name.replace("-", "_")


def second_login(name: str) -> str:
    """Name the login that alternates with the deployment's own role.

    A deployment's name has no dot, so nothing else is called so. Where the suffix does not fit into an identifier's 63
    bytes, the end of the name is replaced by 12 digits of its hash, which tell apart names that begin alike.
    """
    role = identifier(name)
    if len(role) > NAME_LENGTH - len(_SECOND):
        role = f"{role[:48]}.{hashlib.sha256(role.encode()).hexdigest()[:12]}"
    return role + _SECOND


def name_problems(names: t.Iterable[str]) -> t.Iterator[Problem]:
    """Find names that cannot be names, and names that stand twice."""
    seen: set[str] = set()
    for name in names:
        if not NAME.fullmatch(name) or len(name) > NAME_LENGTH:
            yield Problem(
                name,
                "name",
                f"it is not made of at most {NAME_LENGTH} lower-case letters, digits and inner hyphens",
                "choose another name",
            )
        if name in seen:
            yield Problem(name, "name", "it stands twice in the list", "keep one of the two")
        seen.add(name)


def confirm_problems(entries: t.Iterable[t.Mapping[str, t.Any]]) -> t.Iterator[Problem]:
    """Find confirmations that do not name what they confirm."""
    for entry in entries:
        if entry.get("confirm") not in (None, entry["name"]):
            yield Problem(
                entry["name"],
                "confirm",
                f"it says '{entry['confirm']}', which is not the deployment's name",
                "repeat the name to have its data deleted, or leave it out to keep them",
            )


@dataclass(frozen=True)
class Owner:
    """The inventory that asks: its fingerprint, those of before that it proves, and whether it takes what is another's."""

    name: str | None = None
    previous: tuple[str, ...] = ()
    take_over: bool = False

    def __post_init__(self) -> None:
        """Refuse, with ClaimError, what could not be read back from a record, where it stands behind a space."""
        for owner in [*([] if self.name is None else [self.name]), *self.previous]:
            if not OWNER.fullmatch(owner):
                raise ClaimError(
                    f"the owner {owner!r} is not made of 1 to 64 letters, digits, '-' and '_': give owner and"
                    " previous_owners as the fingerprints of inventories"
                )

    def may_have(self, found: str | None) -> bool:
        """Whether a record with that owner is ours. One without was made by an earlier version, and is adopted."""
        return self.take_over or found is None or found == self.name or found in self.previous

    def problem(self, name: str, what: str, found: str | None) -> Problem | None:
        """Refuse a record that is another's; ``what`` says of the deployment ``name`` what it is, as 'Redis number 3'."""
        if self.may_have(found):
            return None
        return Problem(
            name,
            "name",
            f"its {what} belongs to another inventory: its owner is {found}, ours is {self.name or 'not given'}",
            "use another name, or, where it is yours, give the secret key of before as langgraph_previous_secret_key;"
            " where that is lost, take it with -e langgraph_take_over=true",
        )


def owner_of(params: t.Mapping[str, t.Any]) -> Owner:
    """Read the inventory that asks from the options of a module; ClaimError where it is not written as one."""
    return Owner(params.get("owner"), tuple(params.get("previous_owners") or ()), bool(params.get("take_over")))


def refuse(problems: t.Iterable[Problem]) -> None:
    """Raise when there is any problem."""
    found = list(problems)
    if found:
        raise Refused(found)


def encode_mark(mark: t.Mapping[str, t.Any]) -> str:
    """Write the durable copy of a claim, as a comment that a person can read too."""
    return json.dumps({MARK: dict(mark)}, sort_keys=True)


def decode_mark(comment: str | None) -> dict[str, t.Any] | None:
    """Read a durable copy; anything that is not one of ours is None, as a deployment may write what it likes."""
    try:
        content = json.loads(comment or "")
    except (ValueError, RecursionError):
        return None
    mark = content.get(MARK) if isinstance(content, dict) else None
    if not isinstance(mark, dict) or not isinstance(mark.get("deployment"), str):
        return None
    return mark if all(_fits(mark.get(key), kind) for key, kind in _KINDS.items()) else None


def _fits(value: t.Any, kind: type) -> bool:
    return value is None or (isinstance(value, kind) and not isinstance(value, bool))
