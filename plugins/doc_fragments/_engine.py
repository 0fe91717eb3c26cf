# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options of the host's Docker engine; in sync with plugins/module_utils/_host/engine_service.py."""

    DOCUMENTATION = r"""
options:
  live_restore:
    description: Whether containers continue to run while the engine restarts.
    type: bool
    default: true
  registry_mirrors:
    description: Registries to try first for the images of Docker Hub.
    type: list
    elements: str
    default: []
  insecure_registries:
    description: Registries without TLS.
    type: list
    elements: str
    default: []
  options:
    description: More settings of C(daemon.json).
    type: dict
    default: {}
"""
