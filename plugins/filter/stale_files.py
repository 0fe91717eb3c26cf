# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: stale_files
short_description: Files of a host that differ from their sources
version_added: 0.1.0
author:
  - The selfhost.langgraph authors (@selfhost-langgraph)
description:
  - Returns the files of a host that differ from their source on the control node.
  - The role P(selfhost.langgraph.langgraph#role) copies only these.
positional: found
options:
  _input:
    description: Path on the host to path on the control node.
    type: dict
    required: true
  found:
    description:
      - Path on the host to SHA-256, the RV(selfhost.langgraph.deployment_info#module:files) of
        M(selfhost.langgraph.deployment_info).
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show the files to copy
  ansible.builtin.debug:
    msg: "{{ sources | selfhost.langgraph.stale_files(host.files) }}"
"""

RETURN = r"""
_value:
  description: Paths on the host, sorted.
  type: list
  elements: str
"""

import hashlib
import typing as t


def stale_files(sources: t.Mapping[str, str], found: t.Mapping[str, str | None]) -> list[str]:
    """Return the paths on the host whose hash differs from the hash of their source."""

    def digest(path: str) -> str:
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    return sorted(path for path, source in sources.items() if found.get(path) != digest(source))


class FilterModule:
    """The filter stale_files."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"stale_files": stale_files}
