# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Plan one step per deployment from the wanted and the present state. No I/O: check mode prints what a run applies."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, replace

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.diff import (
    content_differences,
    setting_differences,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    ADDRESS,
    SETTINGS,
    Content,
    Deployment,
    Revision,
    Wanted,
    is_at_wanted_endpoint,
    to_prune,
)

# create: the first revision. roll: a new one next to the old one, then the switch. restart: the same one, interrupted.
# start, wait: the same one, which does not run yet. route: only the proxy. keep: nothing, or only settings. stop: no container
# runs, and everything is kept. remove: everything.
Action = t.Literal["create", "roll", "restart", "start", "wait", "route", "keep", "stop", "remove"]


@dataclass(frozen=True)
class Step:
    """The change of one deployment and its reasons.

    ``revision`` serves afterwards, ``new`` is whether its files have to be written first, ``leftovers`` are revisions
    that an interrupted run left running or enabled, ``prune`` those that are no longer kept.
    """

    name: str
    action: Action
    reasons: tuple[str, ...] = ()
    revision: int | None = None
    new: bool = False
    write: bool = False
    enable: bool = False
    leftovers: tuple[int, ...] = ()
    prune: tuple[int, ...] = ()

    @property
    def changed(self) -> bool:
        """Return whether the host differs afterwards."""
        return self.write or self.enable or bool(self.leftovers or self.prune) or self.action not in ("keep", "wait")

    @property
    def starts(self) -> bool:
        """Return whether a container has to become healthy for it."""
        return self.action in ("create", "roll", "restart", "start", "wait")


def plan(wanted: t.Sequence[Wanted], found: t.Mapping[str, Deployment], keep: int) -> list[Step]:
    """Decide what each deployment needs, in the order of the list; ``keep`` is the number of revisions to keep."""
    steps = []
    for item in wanted:
        deployment = found.get(item.name) or Deployment(item.name)
        if item.stop:
            steps.append(_stop(deployment))
            continue
        if item.content is None:
            # A run that was killed before it wrote a revision may have left files with secrets.
            steps.append(Step(item.name, "remove" if item.name in found else "keep"))
            continue
        step = _step(item, item.content, deployment)
        if not step.new:
            old = (revision.number for revision in to_prune(deployment, keep))
            prune = tuple(number for number in old if number != step.revision)
            pruned = (f"revision {number} is no longer kept" for number in prune)
            step = replace(step, prune=prune, reasons=(*step.reasons, *pruned))
        steps.append(step)
    return steps


def interrupts(step: Step, wanted: Wanted, found: Deployment | None) -> bool:
    """Return whether clients are refused for a while: the container itself has the public port, or it does not run."""
    if found is not None and found.stopped:
        return False
    if step.action == "roll":
        settings = (found.settings if found else None) or {}
        return "none" in (settings.get("proxy"), wanted.settings.get("proxy"))
    return step.action in ("restart", "start", "wait", "stop", "remove")


def _step(wanted: Wanted, content: Content, found: Deployment) -> Step:
    if wanted.revision is not None:
        return _back(wanted, content, found, wanted.revision)
    if found.stopped:
        return _resume(wanted, content, found)
    serving = found.serving
    if serving is None or found.settings is None:
        return _new(wanted, "create", ("new",), content, found)
    changes = setting_differences(found.settings, wanted.settings, SETTINGS)
    if not serving.intact or serving.content is None or serving.content.apart != content.apart:
        different = tuple(content_differences(serving.content if serving.intact else None, content))
        return _new(wanted, "roll", (*different, *_other_credentials(wanted, found), *changes), content, found)
    if wanted.credentials and serving.credentials != _credentials.digest(wanted.credentials):
        return _new(wanted, "roll", (*_other_credentials(wanted, found), *changes), content, found)
    step = _same(wanted, found, serving, tuple(changes))
    if wanted.credentials and found.credentials_file != wanted.credentials:
        # No container changes: the credentials of an earlier version are taken over as they are.
        step = replace(step, write=True, reasons=(*step.reasons, "credentials file"))
    return step


def _stop(found: Deployment) -> Step:
    """Stop a deployment, or finish a stop that was killed; the present state counts, not only the record."""
    busy = [revision.number for revision in found.revisions if revision.alive]
    if not busy and (found.settings is None or found.stopped):
        return Step(found.name, "keep")
    reasons = (f"revision {number} runs or starts at boot" for number in busy) if found.stopped else ()
    return Step(found.name, "stop", tuple(reasons))


def _resume(wanted: Wanted, content: Content, found: Deployment) -> Step:
    """Start a stopped deployment: with the revision that served last if it is the wanted one. It gets the current credentials."""
    last = found.last
    old = last.content if last is not None and last.intact else None
    same = old is not None and old.apart == content.apart
    if last is not None and same and not _runs_with_others(last, wanted):
        leftovers = _leftovers(found, last.number)
        return Step(wanted.name, "start", ("was stopped",), last.number, write=True, enable=True, leftovers=leftovers)
    different = ["credentials"] if same else content_differences(old, content)
    return _new(wanted, "create", ("was stopped", *different), content, found)


def _runs_with_others(revision: Revision, wanted: Wanted) -> bool:
    """Return whether a revision, which a killed stop has left, runs with other credentials than the wanted ones."""
    return bool(wanted.credentials and revision.alive) and revision.credentials != _credentials.digest(
        wanted.credentials
    )


def _other_credentials(wanted: Wanted, found: Deployment) -> list[str]:
    """Return the reasons for which the wanted credentials differ from those of the serving revision."""
    serving = found.serving
    if not wanted.credentials or serving is None or serving.credentials == _credentials.digest(wanted.credentials):
        return []
    known = found.credentials if serving.credentials == _credentials.digest(found.credentials) else {}
    return _credentials.differences(known, wanted.credentials) if known else ["credentials"]


def _new(wanted: Wanted, action: Action, reasons: tuple[str, ...], content: Content, found: Deployment) -> Step:
    """Plan a new revision, or reuse the one that an interrupted or failed run has created with the same content."""
    name, begun = wanted.name, found.get(found.newest)
    if begun is not None and begun.content is not None and _is_begun(begun, begun.content, wanted, content):
        return Step(name, action, reasons, begun.number, write=True, leftovers=_leftovers(found, begun.number))
    number = found.newest + 1
    return Step(name, action, reasons, number, new=True, write=True, leftovers=_leftovers(found, number))


def _is_begun(begun: Revision, has: Content, wanted: Wanted, content: Content) -> bool:
    """Return whether a revision that has not served is the wanted one; if its container runs, the credentials must match too."""
    if begun.served or not begun.intact or has.apart != content.apart:
        return False
    return not _runs_with_others(begun, wanted)


def _same(wanted: Wanted, found: Deployment, serving: Revision, changes: tuple[str, ...]) -> Step:
    settings = found.settings or {}
    number, leftovers = serving.number, _leftovers(found, serving.number)
    reasons = (*changes, *(f"revision {leftover} runs and does not serve" for leftover in leftovers))
    moved = any(key in ADDRESS for key in changes)
    if "proxy" in changes or (moved and settings.get("proxy") == "none"):
        # The container itself is published there: it has to be created again.
        return Step(
            wanted.name, "restart", reasons, number, write=True, enable=not serving.enabled, leftovers=leftovers
        )
    if not is_at_wanted_endpoint(serving.endpoint, wanted.settings):
        # A run was killed before it moved the container, or its record is lost.
        reasons = (*reasons, "published elsewhere")
        return Step(
            wanted.name, "restart", reasons, number, write=True, enable=not serving.enabled, leftovers=leftovers
        )
    enable, write = not serving.enabled, bool(changes)
    if serving.active == "activating":
        return Step(wanted.name, "wait", reasons, number, write=write, enable=enable, leftovers=leftovers)
    if not serving.running:
        reasons = (*reasons, f"unit is {serving.active}")
        return Step(wanted.name, "start", reasons, number, write=write, enable=enable, leftovers=leftovers)
    action: Action = "route" if moved else "keep"
    return Step(wanted.name, action, reasons, number, write=write, enable=enable, leftovers=leftovers)


def _back(wanted: Wanted, content: Content, found: Deployment, number: int) -> Step:
    """Plan a rollback to a kept revision, with the deployment's own settings."""
    serving = found.serving
    if serving is not None and serving.number == number:
        return _same(Wanted(wanted.name, content, found.settings or {}), found, serving, ())
    reasons = (f"rollback from revision {serving.number}" if serving else "rollback",)
    return Step(wanted.name, "roll", reasons, number, write=True, leftovers=_leftovers(found, number))


def _leftovers(found: Deployment, target: int) -> tuple[int, ...]:
    """Return revisions that run or start at boot, are not draining, do not serve, and are not the target."""
    serving = found.serving.number if found.serving else None
    return tuple(
        revision.number
        for revision in found.revisions
        if revision.number not in (serving, target) and (revision.running or revision.enabled) and not revision.draining
    )
