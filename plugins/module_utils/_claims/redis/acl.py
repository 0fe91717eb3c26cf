# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Redis users, one per deployment: their rights, and how they differ from those on the server. No I/O here."""

from __future__ import annotations

import hashlib
import re
import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY, UNSAVED_KEY
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_channels import SHARED_MARK
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_globs import overlap

# Commands outside @admin and @dangerous that reach or reveal other deployments. MOVE and COPY write into other
# databases, PUBSUB and CLIENT TRACKING reveal others' channels and keys, SCRIPT and FUNCTION act on shared objects.
# RESET makes the connection that of the default user; current servers allow it to every user, see is_open.
ESCAPES = ("move", "copy", "reset", "pubsub", "script", "function", "client|tracking", "memory", "acl")
_HARMLESS = ("script|load", "script|exists", "memory|usage", "acl|whoami")
# Commands that reach beyond a deployment, and commands that stop or slow down the server for all.
_NEVER = frozenset(
    "asking bgrewriteaof bgsave copy debug failover flushall flushdb keys migrate monitor move pfdebug pfselftest psync"
    " replconf replicaof reset restore-asking role save select shutdown slaveof swapdb sync".split()
)
# Container commands that act on all clients or on the server, with the subcommands that stay within a deployment.
_CONTAINERS: dict[str, str] = {
    "acl": "whoami genpass help",
    "client": "caching getname getredir help id info no-touch reply setinfo setname trackinginfo",
    "cluster": "",
    "commandlog": "",
    "config": "",
    "ft.config": "",
    "function": "",
    "hotkeys": "",
    "latency": "",
    "memory": "usage help",
    "module": "",
    "pubsub": "",
    "script": "load exists help",
    "sentinel": "",
    "slowlog": "",
}

COMMAND = re.compile(r"[a-z][a-z0-9._]*(\|[a-z-]+)?")

Categories = t.Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class User:
    """A Redis user as it should be. Passwords appear as their SHA-256 only."""

    name: str
    db: int | None  # None: the server has one database only, and patterns alone separate the deployments
    hashes: frozenset[str]
    keys: frozenset[str]
    channels: frozenset[str]
    extra: tuple[str, ...] = ()

    def commands(self) -> list[str]:
        """Return the command rules, in the order in which they apply."""
        numbered = ["-select"] if self.db is None else ["-select", f"+select|{self.db}"]
        escapes = [f"-{name}" for name in ESCAPES]
        allowed = [f"+{name}" for name in (*_HARMLESS, *self.extra)]
        return ["+@all", "-@admin", "-@dangerous", *numbered, *escapes, *allowed]

    def rules(self) -> list[str]:
        """Return the arguments of ACL SETUSER that set the user to exactly this, whatever it was before."""
        hashes = [f"#{digest}" for digest in sorted(self.hashes)]
        keys = [f"~{pattern}" for pattern in sorted(self.keys)]
        channels = [f"&{pattern}" for pattern in sorted(self.channels)]
        return ["reset", "on", *hashes, "resetkeys", *keys, "resetchannels", *channels, *self.commands()]


def password_hash(password: str) -> str:
    """Hash a password as Redis stores it, so that the clear text is never sent."""
    return hashlib.sha256(password.encode()).hexdigest()


class CommandSets:
    """Turn command rules into the set of commands they allow.

    Redis 7.0 returns the rules in another order and with other categories than they were set, and other versions
    differ again, so only the sets can be compared.
    """

    def __init__(self, categories: Categories) -> None:
        self._categories = categories
        self._every = frozenset().union(*categories.values()) if categories else frozenset()
        self._known: dict[str, frozenset[str]] = {}

    def allowed(self, rules: str) -> frozenset[str]:
        """Return the commands that these rules allow; equal rules are evaluated once."""
        if rules not in self._known:
            commands: set[str] = set()
            for rule in rules.split():
                members = self._members(rule[1:], commands)
                commands = commands | members if rule.startswith("+") else commands - members
            self._known[rules] = frozenset(commands)
        return self._known[rules]

    def _members(self, name: str, present: set[str]) -> set[str]:
        if name == "@all":
            return {*self._every, *present}
        if name.startswith("@"):
            return set(self._categories.get(name[1:], ()))
        if "|" in name:
            return {name}
        return {name, *(each for each in {*self._every, *present} if each.startswith(f"{name}|"))}


def differences(user: User, current: t.Mapping[str, t.Any] | None, sets: CommandSets) -> list[str]:
    """Return in which respects the user on the server differs from the wanted one; empty if it does not."""
    if current is None:
        return ["user"]
    flags = set(current.get("flags") or ())
    found = []
    if "on" not in flags:
        found.append("enabled")
    if set(current.get("passwords") or ()) != user.hashes or "nopass" in flags:
        found.append("password")
    if user_patterns(current.get("keys"), "~") != user.keys:
        found.append("key_patterns")
    if user_patterns(current.get("channels"), "&") != user.channels:
        found.append("channel_patterns")
    if _allowed_on_server(current, user.db, sets) != _allowed_by_rules(user, sets) or current.get("selectors"):
        found.append("commands")
    return found


def is_ours(current: t.Mapping[str, t.Any], sets: CommandSets) -> bool:
    """Return whether this collection created the user, recognised by rules that nobody writes by chance."""
    match = re.search(r"\+select\|([0-9]+)", str(current.get("commands", "")))
    template = User("", int(match.group(1)) if match else None, frozenset(), frozenset(), frozenset())
    if "move" in sets.allowed(str(current.get("commands", ""))):
        return False
    return template_commands(template, sets) <= sets.allowed(str(current["commands"]))


def is_open(default: t.Mapping[str, t.Any]) -> bool:
    """Return whether the default user needs no password; RESET leads to it and cannot be forbidden."""
    return {"on", "nopass"} <= set(default.get("flags") or ())


def is_limited(default: t.Mapping[str, t.Any]) -> bool:
    """Return whether the default user lacks rights; a server that loads its append-only file acts as that user."""
    return str(default.get("commands")).split() != ["+@all"] or default.get("keys") not in ("~*", ["*"], ["~*"])


def template_commands(user: User, sets: CommandSets) -> frozenset[str]:
    """Return the commands that a user should be allowed."""
    return sets.allowed(" ".join(user.commands()))


def _allowed_by_rules(user: User, sets: CommandSets) -> frozenset[str]:
    # The same string for all users without extra commands, so that a thousand of them cost one evaluation.
    return sets.allowed(" ".join(user.commands()).replace(f"+select|{user.db}", "+select|N"))


def _allowed_on_server(current: t.Mapping[str, t.Any], db: int | None, sets: CommandSets) -> frozenset[str]:
    text = re.sub(rf"\+select\|{db}(?![0-9])", "+select|N", str(current.get("commands", "")))
    return sets.allowed(text)


def user_patterns(value: t.Any, sign: str) -> frozenset[str]:
    """Read the patterns of a user (``ACL GETUSER``), which are one string or a list."""
    words = value.split() if isinstance(value, str) else value or ()
    return frozenset(word[1:] if str(word).startswith(sign) else str(word) for word in words)


def pattern_findings(patterns: t.Iterable[str]) -> t.Iterator[str]:
    """Find what is wrong with the key patterns of a user."""
    for pattern in patterns:
        if not pattern or re.search(r"[\s\x00-\x1f\x7f]", pattern):
            yield f"the pattern {pattern!r} is empty or contains white space"
        elif any(overlap(pattern, name) for name in (CLAIMS_KEY, UNSAVED_KEY, SHARED_MARK)):
            yield f"the pattern {pattern!r} matches the record of all claims ({CLAIMS_KEY})"


def command_findings(commands: t.Iterable[str]) -> t.Iterator[str]:
    """Find extra commands that reach other deployments."""
    for command in commands:
        if not COMMAND.fullmatch(command):
            yield f"{command!r} is not the name of a command, such as 'info' or 'client|no-touch'"
        elif not _stays_within(command):
            yield f"the command {command!r} reaches beyond the deployment's own database"


def _stays_within(command: str) -> bool:
    parent, _bar, member = command.partition("|")
    if parent in _CONTAINERS:
        return member in _CONTAINERS[parent].split()
    return parent not in _NEVER
