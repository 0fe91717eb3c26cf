# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Find variables and groups of the inventory that are nearly the collection's: Ansible ignores a misspelled name."""

from __future__ import annotations

import functools
import re
import typing as t
from collections import Counter
from pathlib import Path

GROUPS = frozenset({"langgraph_hosts", "langgraph_redis", "langgraph_postgres", "langgraph_registry"})
# What the playbooks take on the command line.
EXTRA = frozenset({"deployment"})
# A fact that a role sets, and a removed option, which its role refuses by name.
OTHERS = frozenset({"registry_ca_pem", "redis_bind"})
# Variables of widespread roles (geerlingguy.docker, geerlingguy.redis) and prefixes of others (geerlingguy.postgresql,
# linux-system-roles.postgresql) that are not ours.
FOREIGN = frozenset({"docker_package", "redis_unixsocket"})
FOREIGN_PREFIXES = ("_", "ansible_", "postgresql_")
# Short names of others are often near a short name of ours, such as redis_host and redis_port.
LONG_NAME = 15
_VARIABLE = re.compile(r"^([a-z]\w*):", re.MULTILINE)


@functools.lru_cache(maxsize=1)
def variables() -> frozenset[str]:
    """Return the variables of all roles, from their defaults."""
    files = Path(__file__).parents[2].glob("roles/*/defaults/main.yml")
    return frozenset(name for file in files for name in _VARIABLE.findall(file.read_text(encoding="utf-8")))


def misspelled(
    names: t.Iterable[str], groups: t.Mapping[str, t.Sequence[str]], extra: t.Mapping[str, t.Any] | None = None
) -> t.Iterator[str]:
    """Return a line for each variable and group that is none of ours and differs from one by at most two characters.

    ``extra`` are the variables of the command line: without ``deployment``, which is a string, a run is for all of them.

    A group whose hosts are all in the similar group of ours, such as a child of it, is intended.
    """
    known = variables() | OTHERS
    for name in sorted(set(names) - known - FOREIGN):
        meant = None if name.startswith(FOREIGN_PREFIXES) else _nearest(name, known)
        if meant:
            yield f"'{name}' is not a variable of the collection; did you mean '{meant}'?"
    for name in sorted(name for name, value in (extra or {}).items() if isinstance(value, str) and name not in EXTRA):
        meant = _nearest(name, EXTRA)
        if meant:
            yield f"'{name}' is not a variable of the collection; did you mean '{meant}'?"
    for name in sorted(set(groups) - GROUPS):
        meant = _nearest(name, GROUPS)
        if meant and not set(groups[name]) <= set(groups.get(meant, ())):
            yield f"'{name}' is not a group of the collection; did you mean '{meant}'?"


def _nearest(name: str, known: t.Collection[str]) -> str | None:
    """Return the name that was probably meant: at most two edits away, or one if it is short; None if there is none."""
    found = []
    for other in known:
        limit = 2 if len(other) >= LONG_NAME else 1
        if abs(len(name) - len(other)) <= limit and _differing(name, other) <= limit:
            distance = edit_distance(name, other)
            if distance <= limit:
                found.append((distance, other))
    return min(found)[1] if found else None


def _differing(one: str, two: str) -> int:
    """Return a lower bound of the edit distance that is fast to compute: the characters that only one of them has."""
    first, second = Counter(one), Counter(two)
    return max((first - second).total(), (second - first).total())


def edit_distance(one: str, two: str) -> int:
    """Return how many insertions, deletions, replacements and transpositions of neighbours turn one string into the other."""
    before: list[int] = []
    above = list(range(len(two) + 1))
    for i, left in enumerate(one, start=1):
        row = [i]
        for j, right in enumerate(two, start=1):
            best = min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (left != right))
            if i > 1 and j > 1 and left == two[j - 2] and one[i - 2] == right:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, above = above, row
    return above[-1]
