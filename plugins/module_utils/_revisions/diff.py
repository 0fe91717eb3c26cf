# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Differences between two revisions of a deployment, never with a value of the environment. No I/O."""

from __future__ import annotations

import json
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import Variables
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import short
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import SETTINGS, Content


def content_differences(old: Content | None, new: Content) -> t.Iterator[str]:
    """Name the differences of a new revision, never with a value of the environment."""
    if old is None:
        yield "files of the serving revision"
        return
    if old.image_id != new.image_id:
        yield "image_id"
    if old.container != new.container or old.drain_seconds != new.drain_seconds:
        yield "container options"
    before, after = old.apart.environment, new.apart.environment
    yield from (
        f"variable {name}" for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)
    )


def image_change(old: Content | None, new: Content | None) -> str | None:
    """Return the short ids of the image before and after, digests if both came from a registry; None if it does not change."""
    if old is None or new is None or old.image_id == new.image_id:
        return None
    before, after = (old.digest, new.digest) if old.digest and new.digest else (old.image_id, new.image_id)
    return f"{short(before)} to {short(after)}"


def setting_differences(old: t.Mapping[str, t.Any], new: t.Mapping[str, t.Any], keys: t.Iterable[str]) -> list[str]:
    """Return the settings that differ."""
    # A record of an earlier version lacks newer settings, which are then unset.
    return [key for key in keys if (old.get(key) or None) != (new.get(key) or None)]


def masked(
    content: Content | None,
    settings: t.Mapping[str, t.Any] | None,
    other: Content | None,
    side: str,
    credentials: tuple[Variables, Variables] = ({}, {}),
) -> str:
    """Return one side of a diff: settings and options, and the variables by name with every value masked.

    A variable whose value differs from the other side is marked, so that the diff shows the change. ``credentials`` are
    those of this side and of the other side.
    """
    shown: dict[str, t.Any] = {key: settings.get(key) for key in SETTINGS} if settings else {}
    if not shown.get("may_reach"):
        shown.pop("may_reach", None)
    if content:
        shown |= {"image": content.image, "image_id": content.image_id, "options": content.container.options}
        shown |= {"drain_seconds": content.drain_seconds} | ({"image_digest": content.digest} if content.digest else {})
    lines = [json.dumps(shown, indent=2, sort_keys=True)] if shown else []
    mine = {**content.apart.environment, **credentials[0]} if content else {}
    theirs = {**other.apart.environment, **credentials[1]} if other else {}
    for name in sorted(mine):
        note = f" ({side})" if name in theirs and mine[name] != theirs[name] else ""
        lines.append(f"{name}=********{note}")
    return "".join(f"{line}\n" for line in lines)
