# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Names of deployments, and identifiers derived from them."""

from __future__ import annotations

import re
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem

NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
NAME_LENGTH = 63  # what a Postgres identifier (NAMEDATALEN - 1) and a host name's label (RFC 1035) hold


def identifier(name: str) -> str:
    """Return the name of a deployment's Postgres database and role; names have no underscore, so no two share one."""
    return name.replace("-", "_")


def name_problems(names: t.Iterable[str]) -> t.Iterator[Problem]:
    """Find invalid names and duplicate names."""
    seen: set[str] = set()
    for name in names:
        if not NAME.fullmatch(name) or len(name) > NAME_LENGTH:
            yield Problem(
                name,
                "name",
                f"it is not a letter followed by up to {NAME_LENGTH - 1} lower-case letters, digits and inner hyphens",
                "choose another name",
            )
        if name in seen:
            yield Problem(name, "name", "it is listed twice", "remove one of the two entries")
        seen.add(name)
