# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this doc fragment is **PRIVATE** to the collection. It can have breaking changes at any time.

from __future__ import annotations


class ModuleDocFragment:
    """Options of a rollout; the same as ROLLOUT_ARGUMENTS in module_utils/_rollout/module.py."""

    DOCUMENTATION = r"""
options:
  config_dir:
    description: Directory on the host with one directory per deployment, readable only by root.
    type: path
    default: /etc/langgraph
  min_healthy_time:
    description:
      - Seconds for which a new revision must answer C(/ok?check_db=1) without a failure before clients reach it. With V(0), one
        healthy answer is enough.
    type: float
    default: 0.0
  max_running_revisions:
    description:
      - How many revisions of one deployment may run at the same time, including draining ones. Each has its own connections to
        Postgres. A rollout waits for the oldest drain if it would exceed this number.
    type: int
    default: 3
  max_extra_revisions:
    description:
      - How many revisions of all deployments of the host together may run in addition to the serving ones, including starting and
        draining ones. A rollout waits for a drain if it would exceed this number, for as long as a drain may take.
    type: int
    default: 8
  keep_revisions:
    description:
      - How many revisions of each deployment are kept for rollbacks. Older ones are removed, together with images that no kept
        revision needs.
    type: int
    default: 5
  parallel:
    description: How many servers may start at the same time.
    type: int
    default: 8
  snapshot_dir:
    description:
      - Directory on the host for dumps of the deployments' databases, taken with C(pg_dump) before a new image starts. If it is
        left out, no dump is taken.
    type: path
  wait_for_drain:
    description:
      - Whether to return only when the old revisions have been drained and stopped. The module fails if runs in flight were lost.
    type: bool
    default: false
  requested_by:
    description: Who requests the rollout, for the record of a new revision.
    type: str
    default: ''
"""
