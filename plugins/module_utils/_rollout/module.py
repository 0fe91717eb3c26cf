# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the modules container_service and deployment_rollback have in common: read, plan, apply, report."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import NAME
from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    DEFAULT_EXTRA_REVISIONS,
    DEFAULT_RUNNING_REVISIONS,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import variables
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import (
    named_digest,
    normal_reference,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, firewall, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.lock import LockedError, host_lock
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.carried_credentials import carried
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Revision,
    Wanted,
    image_change,
    is_public,
    make_content,
    masked,
    meet,
    previous,
    routes,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.apply import Rollout
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.failures import sentence
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import Step, interrupts, plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.start import snapshot_path
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import (
    Options,
    Report,
    RolloutError,
    proxy_text,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._server import schema as _schema

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# What systemd, the engine and the proxy take beside the limits that are set.
_SLACK_SECONDS = 180
# The options of both modules that say how to roll out.
ROLLOUT_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "config_dir": {"type": "path", "default": "/etc/langgraph"},
    "min_healthy_time": {"type": "float", "default": 0.0},
    "max_running_revisions": {"type": "int", "default": DEFAULT_RUNNING_REVISIONS},
    "max_extra_revisions": {"type": "int", "default": DEFAULT_EXTRA_REVISIONS},
    "keep_revisions": {"type": "int", "default": 5},
    "parallel": {"type": "int", "default": 8},
    "snapshot_dir": {"type": "path"},
    "wait_for_drain": {"type": "bool", "default": False},
    "requested_by": {"type": "str", "default": ""},
}


class Refused(RuntimeError):
    """What is asked for cannot or must not be done; the text names the deployment, the option and the remedy."""


_ERRORS = (
    docker_engine.EngineError,
    systemd.SystemdError,
    reload.ProxyError,
    firewall.FirewallError,
    RolloutError,
    Refused,
    LockedError,
)


def run_module(module: AnsibleModule, function: t.Callable[..., dict[str, t.Any]]) -> t.NoReturn:
    """Do a module's work and exit."""
    try:
        result = function(module.params, check_mode=module.check_mode)
    except _ERRORS as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the host's files cannot be read or written: {error}")
    if not module._diff:
        result.pop("diff")
    if result["failures"]:
        module.fail_json(msg=sentence(result["failures"]), **result)
    result.pop("failures")
    module.exit_json(**result)


@dataclass(frozen=True)
class _Images:
    """References to ids, and whether what is missing only has to be brought yet."""

    ids: t.Mapping[str, str]
    coming: bool

    def digest(self, image: str, image_id: str) -> str:
        """What the registry that the reference names calls the image; empty where it came another way."""
        known = [name for name, found in self.ids.items() if "@" in name and found == image_id]
        return named_digest(image, known) or ""


def converge(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Bring the host to what ``params`` want; with ``check_mode`` only tell."""
    for deployment in params["deployments"]:
        _check_name(deployment["name"])
    client = docker_engine.connect()
    if params["only_credentials"]:
        return _carry_out(lambda found: _rotated(found, params), params, client, check_mode=check_mode)
    ids = docker_engine.image_ids(client)
    images = _Images({**ids, **params["coming_images"]} if check_mode else ids, check_mode)
    wanted = [_wanted(deployment, images, params) for deployment in params["deployments"]]
    return _carry_out(lambda _found: wanted, params, client, check_mode=check_mode)


def roll_back(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Bring one deployment back to a revision that is kept; a host that does not have the deployment is left alone."""
    _check_name(params["name"])
    client = docker_engine.connect()

    def wanted(found: t.Mapping[str, Deployment]) -> list[Wanted]:
        if params["name"] not in found:
            return []
        # First: what back_to() goes by, the record and the schema, is not what clients see then.
        if params["revision"] is None and found[params["name"]].serving and _proxy_drifted(found):
            raise Refused(
                f"deployment '{params['name']}', option 'revision': an interrupted run left the proxy with another revision "
                "than the host's record; say which revision to go back to, or run the playbook site first"
            )
        _refuse_what_is_in_the_way(found, params["name"])
        return [back_to(found[params["name"]], params, docker_engine.image_ids(client).values())]

    return _carry_out(wanted, params, client, check_mode=check_mode)


def _refuse_what_is_in_the_way(found: t.Mapping[str, Deployment], name: str) -> None:
    """The proxy can be told nothing while the container of another deployment has a port that it needs."""
    needed = {(route.bind_address, route.port) for route in routes(found.values())}
    for other in found.values():
        for revision in other.revisions if other.name != name else ():
            slot = revision.slot
            if not (revision.running and slot and is_public(slot)):
                continue
            if any(meet(slot["address"], slot["port"], *address) for address in needed):
                raise Refused(
                    f"deployment '{name}', option 'name': an interrupted run left revision {revision.number} of deployment "
                    f"'{other.name}' on port {slot['port']}, which the proxy needs; run the playbook site first"
                )


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        # It becomes a folder that may be deleted.
        raise Refused(f"deployment '{name}', option 'name': it is not made of a-z, 0-9 and inner hyphens")


def read_host(config_dir: str) -> dict[str, Deployment]:
    """All deployments of the host: what is not in the list keeps its place in the proxy."""
    return store.read(config_dir, store.deployment_names(config_dir))


def _wanted(deployment: t.Mapping[str, t.Any], images: _Images, params: t.Mapping[str, t.Any]) -> Wanted:
    name = deployment["name"]
    if deployment["state"] == "absent":
        return Wanted(name)
    image_id = images.ids.get(normal_reference(deployment["image"]))
    if image_id is None and images.coming:
        # An earlier task of the real run brings it.
        image_id = "not on the host yet"
    if image_id is None:
        raise Refused(
            f"deployment '{name}', option 'image': the host has no image '{deployment['image']}'; load or pull it first"
        )
    settings = {key: deployment[key] for key in ("bind_address", "port", "hostname", "prefix", "tls")}
    settings["may_reach"] = sorted(set(deployment["may_reach"]))
    settings |= {key: params[key] for key in ("proxy", "healthy_deadline", "drain_limit")}
    digest = image_id if "@" in image_id else images.digest(deployment["image"], image_id)
    environment, inside = _credentials.split(deployment["environment"])
    content = make_content({**deployment, "environment": environment}, image_id, params["network"], digest)
    return Wanted(name, content, settings, credentials=deployment["credentials"] or inside)


def _rotated(found: t.Mapping[str, Deployment], params: t.Mapping[str, t.Any]) -> list[Wanted]:
    """What serves, with other credentials and nothing else. Raises Refused."""
    wanted = []
    for item in params["deployments"]:
        name, deployment = item["name"], found.get(item["name"])
        serving = deployment.serving if deployment else None
        if deployment is None or serving is None or serving.content is None or not serving.intact:
            raise Refused(
                f"deployment '{name}', option 'only_credentials': it has no revision that serves, or its files were changed by "
                "hand; run the playbook site first"
            )
        credentials = item["credentials"] or _credentials.split(item["environment"])[1]
        wanted.append(Wanted(name, serving.content.apart, deployment.settings or {}, credentials=credentials))
    return wanted


def back_to(deployment: Deployment, params: t.Mapping[str, t.Any], image_ids: t.Collection[str]) -> Wanted:
    """What a rollback wants: a kept revision with the deployment's own settings. Raises Refused."""
    name, number, serving = deployment.name, params["revision"], deployment.serving
    kept = ", ".join(str(revision.number) for revision in deployment.revisions) or "none"
    if deployment.settings is None or serving is None:
        raise Refused(f"deployment '{name}' has no revision that serves; run the playbook site first")
    target = deployment.get(number) if number is not None else previous(deployment)
    if target is None:
        which = (
            f"there is no revision {number}" if number is not None else f"no revision below {serving.number} has served"
        )
        raise Refused(f"deployment '{name}', option 'revision': {which}; kept are {kept}")
    if target.content is None or not target.intact:
        raise Refused(
            f"deployment '{name}', option 'revision': the files of revision {target.number} were changed by hand"
        )
    if target.number != serving.number and not target.served:
        raise Refused(
            f"deployment '{name}', option 'revision': revision {target.number} has never served; kept are {kept}"
        )
    if target.content.image_id not in image_ids:
        raise Refused(
            f"deployment '{name}', option 'revision': the host no longer has the image of revision {target.number}, "
            f"'{target.content.image}' ({target.content.image_id}); load or pull it first"
        )
    _refuse_stale_credentials(deployment, target)
    _refuse_other_aes_key(name, target, serving)
    if not params["accept_schema"]:
        _refuse_other_schema(deployment, target.number, params["snapshot_dir"])
    # Where the server mounts its routes is the revision's; the rest of the address is the deployment's.
    prefix = variables(target.content.environment).get("MOUNT_PREFIX") or None
    settings = {**deployment.settings, "prefix": prefix}
    return Wanted(name, target.content, settings, target.number, deployment.credentials)


def _refuse_stale_credentials(deployment: Deployment, target: Revision) -> None:
    """On a host as an earlier version left it, a revision starts with the addresses and passwords of its own time."""
    own = _credentials.split(target.environment)[1]
    if deployment.credentials_file is None and own != deployment.credentials:
        raise Refused(
            f"deployment '{deployment.name}', option 'revision': revision {target.number} was made with another address or "
            "password of Redis or Postgres, and the host has the files of an earlier version of the collection; run the "
            "playbook site first"
        )


def _refuse_other_aes_key(name: str, target: Revision, serving: Revision) -> None:
    """A server has one AES key: what the one that serves has encrypted, another one cannot read."""
    before, now = (variables(revision.environment).get("LANGGRAPH_AES_KEY") for revision in (target, serving))
    if now and before != now:
        raise Refused(
            f"deployment '{name}', option 'revision': revision {target.number} has another langgraph_aes_key than what serves, "
            "or none, and what was encrypted since would be unreadable; run the playbook site with the image of that revision "
            "and the key of today"
        )


def _refuse_other_schema(deployment: Deployment, number: int, snapshot_dir: str | None) -> None:
    """Migrations only go forward: older code may not read what they left."""
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
        f"the snapshot taken before it is {taken}; restoring it loses what was written since"
        if taken
        else "no snapshot was taken before it (langgraph_snapshot_dir)"
    )
    raise Refused(
        f"deployment '{deployment.name}', option 'revision': the database's schema has moved on since revision {number}, "
        f"from {then or 'unknown'} to {now or 'unknown'} ({between}), and migrations do not go back; {offer}; "
        "-e accept_schema=true rolls back all the same"
    )


def _carry_out(
    wanted_from: t.Callable[[t.Mapping[str, Deployment]], t.Sequence[Wanted]],
    params: t.Mapping[str, t.Any],
    client: t.Any,
    *,
    check_mode: bool,
) -> dict[str, t.Any]:
    """Read the host, plan, apply unless in check mode, and report both in the same words."""
    options = Options(
        config_dir=params["config_dir"],
        parallel=params["parallel"],
        min_healthy_time=params["min_healthy_time"],
        max_running=params["max_running_revisions"],
        max_extra=max(1, params["max_extra_revisions"]),
        keep_revisions=params["keep_revisions"],
        snapshot_dir=params["snapshot_dir"],
        by=params["requested_by"],
        remove_dumps=params.get("remove_dumps", False),
    )
    with contextlib.nullcontext() if check_mode else host_lock() as lock:
        found = read_host(params["config_dir"])
        wanted = wanted_from(found)
        if lock:
            names = ", ".join(item.name for item in wanted) or "nothing"
            lock.note(f"{names}, asked for by {params['requested_by'] or 'nobody'}", longest(wanted, found, options))
        steps = plan(wanted, found, params["keep_revisions"])
        interrupted = store.is_half_written(params["config_dir"]) or _proxy_drifted(found)
        rollout = Rollout(options, client, wanted, steps, found)
        reports = [Report(step) for step in steps] if check_mode or not steps else rollout.run()
        if not check_mode:
            # Each time: a run that was killed before this is finished by the next.
            firewall.apply()
    if params["wait_for_drain"] and not check_mode:
        rollout.wait_for_drains()
    changed = any(step.changed for step in steps)
    credentials = {item.name: item.credentials for item in wanted}
    # A run that changed nothing and waited for nothing has looked already.
    world = read_host(params["config_dir"]) if not check_mode and (changed or params["wait_for_drain"]) else found
    return {
        "carried": None if check_mode else carried(world, credentials),
        "changed": (bool(wanted) and interrupted) or changed,
        "deployments": [_told(report, item, found.get(item.name)) for report, item in zip(reports, wanted)],
        "failures": [report.failure for report in reports if report.failure],
        "diff": [_diff(item, found.get(item.name)) for step, item in zip(steps, wanted) if step.changed],
    }


def longest(wanted: t.Sequence[Wanted], found: t.Mapping[str, Deployment], options: Options) -> float:
    """Seconds that a run may take at most: each revision waits for room, is dumped before, and becomes healthy."""
    contents = [r.content for deployment in found.values() for r in deployment.revisions]
    contents += [item.content for item in wanted]
    drain = max((content.drain_seconds for content in contents if content), default=0)
    settings = [*(item.settings for item in wanted), *(deployment.settings or {} for deployment in found.values())]
    limit = max((each.get("drain_limit", 0) for each in settings), default=0)
    deadline = max((each.get("healthy_deadline", 0) for each in settings), default=0)
    snapshot = _schema.SNAPSHOT_SECONDS if options.snapshot_dir else 0
    one = limit + drain + snapshot + deadline + options.min_healthy_time + _SLACK_SECONDS
    rounds = -(-len(wanted) // max(1, min(options.parallel, options.max_extra)))
    # What is interrupted or removed ends its runs first, and what fails ends its own last.
    return rounds * one + 2 * (drain + _SLACK_SECONDS)


def _proxy_drifted(found: t.Mapping[str, Deployment]) -> bool:
    """Whether the proxy runs something else than the host's records ask for, as after a run that was killed."""
    try:
        text = proxy_text(found)
    except ValueError:
        # Killed between the records of two deployments that exchange their addresses.
        return True
    return text is not None and not reload.is_loaded(text)


def _told(report: Report, wanted: Wanted, found: Deployment | None) -> dict[str, t.Any]:
    step: Step = report.step
    return {
        "name": step.name,
        "action": step.action,
        "changed": step.changed,
        "interrupts": interrupts(step, wanted, found),
        "reasons": list(step.reasons),
        "revision": step.revision,
        "image_id": wanted.content.image_id if wanted.content else None,
        "image_digest": (wanted.content.digest or None) if wanted.content else None,
        "image_change": image_change(found.serving.content if found and found.serving else None, wanted.content),
        "runs": report.runs,
        "snapshot": report.snapshot,
    }


def _diff(wanted: Wanted, found: Deployment | None) -> dict[str, str]:
    header = f"deployment {wanted.name}"
    old = found.serving.content if found and found.serving else None
    settings, before = (found.settings, found.credentials) if found else (None, "")
    return {
        "before_header": header,
        "after_header": header,
        "before": masked(old, settings, wanted.content, "before", (before, wanted.credentials)),
        "after": masked(wanted.content, wanted.settings, old, "after", (wanted.credentials, before)),
    }
