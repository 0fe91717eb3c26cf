# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The rollback of deployment_rollback to a kept revision, and the reasons to refuse it."""

from __future__ import annotations

import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.address import conflicts
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, Refused
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    Wanted,
    is_public,
    previous,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.module import (
    SITE_FIRST,
    carry_out,
    check_name,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.routing import proxy_drifted, routes
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.snapshot import snapshot_path
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema


def roll_back(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Bring one deployment back to a kept revision; a host without the deployment is left alone."""
    check_name(params["name"])
    client = docker_engine.connect()

    def wanted(found: t.Mapping[str, Deployment]) -> list[Wanted]:
        if params["name"] not in found:
            return []
        # First, because back_to() relies on the record and the schema, which then differ from what clients see.
        if params["revision"] is None and found[params["name"]].serving and proxy_drifted(found):
            finding = "an interrupted run left the proxy on a different revision from the host's record"
            remedy = f"name the revision to roll back to, or {SITE_FIRST}"
            raise Refused([Problem(params["name"], "revision", finding, remedy)])
        _refuse_what_is_in_the_way(found, params["name"])
        return [back_to(found[params["name"]], params, docker_engine.image_ids(client).values())]

    return carry_out(wanted, params, client, check_mode=check_mode)


def _refuse_what_is_in_the_way(found: t.Mapping[str, Deployment], name: str) -> None:
    """Refuse a rollback while the container of another deployment has a port that the proxy needs: it cannot be loaded."""
    needed = {(route.bind_address, route.port) for route in routes(found.values())}
    for other in found.values():
        for revision in other.revisions if other.name != name else ():
            endpoint = revision.endpoint
            if not (revision.running and endpoint and is_public(endpoint)):
                continue
            if any(conflicts(endpoint["address"], endpoint["port"], *address) for address in needed):
                finding = (
                    f"an interrupted run left revision {revision.number} of deployment '{other.name}' running on port "
                    f"{endpoint['port']}, and the proxy needs this port"
                )
                remedy = f"{SITE_FIRST}, with both deployments in its list"
                raise Refused([Problem(name, "name", finding, remedy)])


def back_to(deployment: Deployment, params: t.Mapping[str, t.Any], image_ids: t.Collection[str]) -> Wanted:
    """Return the wanted state: a kept revision with the deployment's own settings. Raises Refused."""
    name, number, serving = deployment.name, params["revision"], deployment.serving
    kept = ", ".join(str(revision.number) for revision in deployment.revisions if revision.served) or "none"
    choice = f"choose a kept revision that has served: {kept}"
    if deployment.stopped:
        remedy = "set 'state: present' and run the playbook site, then roll back"
        raise Refused([Problem(name, "name", "it is stopped", remedy)])
    if deployment.settings is None or serving is None:
        raise Refused([Problem(name, "name", "it has no serving revision", SITE_FIRST)])
    target = deployment.get(number) if number is not None else previous(deployment)
    if target is None:
        finding = (
            f"there is no revision {number}" if number is not None else f"no revision below {serving.number} has served"
        )
        raise Refused([Problem(name, "revision", finding, choice)])
    if target.content is None or not target.intact:
        finding = f"the files of revision {target.number} were changed by hand"
        raise Refused([Problem(name, "revision", finding, "choose another revision")])
    if target.number != serving.number and not target.served:
        raise Refused([Problem(name, "revision", f"revision {target.number} has never served", choice)])
    if target.content.image_id not in image_ids:
        finding = (
            f"the host no longer has the image of revision {target.number}, '{target.content.image}' "
            f"({target.content.image_id})"
        )
        raise Refused(
            [Problem(name, "revision", finding, "load or pull the same image first: a new build has another id")]
        )
    _refuse_stale_credentials(deployment, target)
    _refuse_other_aes_key(name, target, serving)
    if not params["allow_schema_mismatch"]:
        _refuse_other_schema(deployment, target.number, params["snapshot_dir"])
    # The mount prefix belongs to the revision; the rest of the address belongs to the deployment.
    prefix = target.content.environment.get("MOUNT_PREFIX") or None
    settings = {**deployment.settings, "prefix": prefix}
    return Wanted(name, target.content, settings, target.number, deployment.credentials)


def _refuse_stale_credentials(deployment: Deployment, target: Revision) -> None:
    """Refuse if a revision would start with outdated addresses and passwords, as on a host of an earlier version."""
    own = _credentials.split(target.environment)[1]
    if deployment.credentials_file is None and own != deployment.credentials:
        finding = (
            f"revision {target.number} contains an old address or password of Redis or Postgres, because an earlier version of "
            "the collection created it"
        )
        raise Refused([Problem(deployment.name, "revision", finding, f"{SITE_FIRST}, then roll back again")])


def _refuse_other_aes_key(name: str, target: Revision, serving: Revision) -> None:
    """Refuse if the AES key differs: data that the serving revision has encrypted could not be read."""
    before, now = ((revision.environment or {}).get("LANGGRAPH_AES_KEY") for revision in (target, serving))
    if now and before != now:
        finding = (
            f"revision {target.number} has a different langgraph_aes_key from the serving one, or none, so data encrypted "
            "since would be unreadable"
        )
        remedy = "run the playbook site with the image of that revision and the current key"
        raise Refused([Problem(name, "revision", finding, remedy)])


def _refuse_other_schema(deployment: Deployment, number: int, snapshot_dir: str | None) -> None:
    """Refuse if the schema has changed: migrations only go forward, and older code may not be able to read it."""
    target, serving = deployment.get(number), deployment.serving
    content = serving.content if serving else None
    if target is None or content is None or serving is None or number == serving.number:
        return
    then = (target.outcome or {}).get("schema")
    now = _schema.read(_credentials.database_uri(deployment.credentials))
    if then == now and now is not None:
        return
    between = _schema.between(then, now) if then and now else "what was migrated since is not known"
    newer = [revision for revision in deployment.revisions if revision.number > number]
    snapshots = [
        later.snapshot or (snapshot_path(snapshot_dir, deployment.name, later) if snapshot_dir else None)
        for later in newer
    ]
    taken = next((path for path in snapshots if path and store.exists(path)), None)
    offer = (
        f"the snapshot taken before it is {taken}; restoring it loses all later writes"
        if taken
        else "there is no snapshot from before it (langgraph_snapshot_dir takes one)"
    )
    finding = (
        f"the database schema has changed since revision {number}, from {then or 'unknown'} to {now or 'unknown'} "
        f"({between}), and migrations cannot be reverted; {offer}"
    )
    remedy = "deploy a corrected image, or, if the older code works with the newer schema, -e allow_schema_mismatch=true rolls back anyway"
    raise Refused([Problem(deployment.name, "revision", finding, remedy)])
