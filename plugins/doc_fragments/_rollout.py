# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """How to roll out; the same as ROLLOUT_ARGUMENTS in module_utils/_rollout/module.py."""

    DOCUMENTATION = r"""
options:
  config_dir:
    description: Folder of the host that holds a folder for each deployment, readable by root alone.
    type: path
    default: /etc/langgraph
  min_healthy_time:
    description:
      - Seconds for which a new revision must answer C(/ok?check_db=1) without a break before clients reach it. With V(0), one
        such answer is enough.
    type: float
    default: 0.0
  max_running_revisions:
    description:
      - How many revisions of one deployment may run at the same time, draining ones included, as each has its own
        connections to Postgres. A rollout waits for the oldest drain where it would be one more.
    type: int
    default: 3
  max_extra_revisions:
    description:
      - How many revisions of all deployments of the host together may run beside those that serve, starting and draining ones
        included. A rollout waits for a drain where it would start one more, for as long as a drain may take.
    type: int
    default: 8
  keep_revisions:
    description:
      - How many revisions of each deployment are kept to go back to. Older ones are removed, with images that no kept
        revision needs.
    type: int
    default: 5
  parallel:
    description: How many servers may start at the same time.
    type: int
    default: 8
  snapshot_dir:
    description:
      - Folder of the host for a dump of a deployment's database, taken with C(pg_dump) before another image starts. None
        is taken where it is left out.
    type: path
  wait_for_drain:
    description:
      - Whether to come back only when the old revisions have been drained and stopped. It fails where runs that were in
        flight were lost.
    type: bool
    default: false
  requested_by:
    description: Who asks for it, for the record of a new revision.
    type: str
    default: ''
"""
