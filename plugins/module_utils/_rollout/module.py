# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The common part of the modules deployment_rollout and deployment_rollback: read, plan, apply, report."""

from __future__ import annotations

import contextlib
import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._common import credentials as _credentials
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    DEFAULT_EXTRA_REVISIONS,
    DEFAULT_RUNNING_REVISIONS,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.env_file import fault, from_option
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import (
    named_digest,
    normal_reference,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import NAME
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import (
    Problem,
    Refused,
    printable_key,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._haproxy import reload
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine, firewall, systemd
from ansible_collections.selfhost.langgraph.plugins.module_utils._host.lock import LockedError, host_lock
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions import store
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.carried_credentials import carried
from ansible_collections.selfhost.langgraph.plugins.module_utils._revisions.model import (
    Deployment,
    Wanted,
    make_content,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.apply import Rollout
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.failures import summarize
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.hold import (
    hold,
    rollback_warning,
    undoes_rollback,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.plan import plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.report import Report, diff_of, result_entry
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.routing import proxy_drifted
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.snapshot import SNAPSHOT_SECONDS
from ansible_collections.selfhost.langgraph.plugins.module_utils._rollout.state import Options, RolloutError

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# Time for systemd, the engine and the proxy, in addition to the limits that are set.
_SLACK_SECONDS = 180
# The remedy for a state that only a full run can correct.
SITE_FIRST = "run the playbook site first"
# The rollout options of both modules.
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


_ERRORS = (
    docker_engine.EngineError,
    systemd.SystemdError,
    reload.ProxyError,
    firewall.FirewallError,
    RolloutError,
    LockedError,
)


def run_module(module: AnsibleModule, function: t.Callable[..., dict[str, t.Any]]) -> t.NoReturn:
    """Run a module and exit with its result."""
    try:
        result = function(module.params, check_mode=module.check_mode)
    except Refused as error:
        module.fail_json(msg=str(error), problems=[problem.as_dict() for problem in error.problems])
    except _ERRORS as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(msg=f"the host's files cannot be read or written: {error}")
    if not module._diff:
        result.pop("diff")
    for text in result.pop("warnings", ()):
        module.warn(text)
    if result["failures"]:
        module.fail_json(msg=summarize(result["failures"]), **result)
    result.pop("failures")
    module.exit_json(**result)


@dataclass(frozen=True)
class _Images:
    """The engine's images by reference, and those that the play has pinned by normal reference."""

    on_host: t.Mapping[str, str]
    pinned: t.Mapping[str, str]
    check_mode: bool

    def identify(self, image: str) -> str | None:
        """Return the id of a deployment's image; None if the host lacks it. Ids and digests are references too.

        In check mode an earlier task of the real run provides a missing image: then its pin is returned.
        """
        pin = self.pinned.get(normal_reference(image))
        found = self.on_host.get(pin or normal_reference(image))
        return found if found or not self.check_mode else pin or "not on the host yet"

    def digest(self, image: str, image_id: str) -> str:
        """Return the image's digest in the registry of its reference; empty if it did not come from there."""
        known = [name for name, found in self.on_host.items() if "@" in name and found == image_id]
        return named_digest(image, known) or ""


def converge(params: t.Mapping[str, t.Any], *, check_mode: bool) -> dict[str, t.Any]:
    """Bring the host to the state that ``params`` describe; with ``check_mode``, only report the changes."""
    for deployment in params["deployments"]:
        check_name(deployment["name"])
    client = docker_engine.connect()
    if params["only_credentials"]:
        return carry_out(lambda found: _rotated(found, params), params, client, check_mode=check_mode)
    pinned = {normal_reference(name): pin for name, pin in params["image_ids"].items()}
    images = _Images(docker_engine.image_ids(client), pinned, check_mode)
    wanted = [_wanted(deployment, images, params) for deployment in params["deployments"]]
    warnings: list[str] = []

    def after_rollbacks(found: t.Mapping[str, Deployment]) -> list[Wanted]:
        undone = {item.name: found[item.name] for item in wanted if undoes_rollback(item, found.get(item.name))}
        warnings.extend(rollback_warning(item, held=params["hold_rollbacks"]) for item in undone.values())
        held = undone if params["hold_rollbacks"] else {}
        return [hold(item, held[item.name]) if item.name in held else item for item in wanted]

    return {**carry_out(after_rollbacks, params, client, check_mode=check_mode), "warnings": warnings}


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        # It becomes the name of a directory that may be deleted.
        finding = "it is not a letter followed by lower-case letters, digits and inner hyphens"
        raise Refused([Problem(name, "name", finding, "choose another name")])


def read_host(config_dir: str) -> dict[str, Deployment]:
    """Read all deployments of the host: those that are not in the list keep their routes in the proxy."""
    return store.read(config_dir, store.deployment_names(config_dir))


def _wanted(deployment: t.Mapping[str, t.Any], images: _Images, params: t.Mapping[str, t.Any]) -> Wanted:
    name = deployment["name"]
    if deployment["state"] == "absent":
        return Wanted(name)
    if deployment["state"] == "stopped":
        return Wanted(name, stop=True)
    image_id = images.identify(deployment["image"])
    if image_id is None:
        finding = f"the host has no image '{deployment['image']}'"
        raise Refused([Problem(name, "image", finding, "load or pull it first")])
    settings = {key: deployment[key] for key in ("bind_address", "port", "hostname", "prefix", "tls")}
    settings["may_reach"] = sorted(set(deployment["may_reach"]))
    settings |= {key: params[key] for key in ("proxy", "healthy_deadline", "drain_limit")}
    digest = image_id if "@" in image_id else images.digest(deployment["image"], image_id)
    environment, credentials = _variables(deployment)
    content = make_content(deployment, environment, image_id, params["network"], digest)
    return Wanted(name, content, settings, credentials=credentials)


def _variables(deployment: t.Mapping[str, t.Any]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment of a deployment's revision, and its credentials. Raises Refused, never with a value."""
    given: dict[str, dict[str, str]] = {}
    for option in ("environment", "credentials"):
        try:
            given[option] = from_option(deployment[option])
        except ValueError as error:
            raise Refused([Problem(deployment["name"], option, str(error), "write NAME: value")]) from None
    faults = [
        Problem(deployment["name"], f"{option}.{printable_key(name)}", *found)
        for option, variables in given.items()
        for name, value in variables.items()
        if (found := fault(name, value))
    ]
    if faults:
        raise Refused(faults)
    environment, inside = _credentials.split(given["environment"])
    return environment, given["credentials"] or inside


def _rotated(found: t.Mapping[str, Deployment], params: t.Mapping[str, t.Any]) -> list[Wanted]:
    """Return the serving revisions with new credentials and no other change. Raises Refused."""
    wanted = []
    for item in params["deployments"]:
        name, deployment = item["name"], found.get(item["name"])
        serving = deployment.serving if deployment else None
        if deployment is None or serving is None or serving.content is None or not serving.intact:
            finding = "it has no serving revision, or its files were changed by hand"
            raise Refused([Problem(name, "only_credentials", finding, SITE_FIRST)])
        credentials = _variables(item)[1]
        wanted.append(Wanted(name, serving.content.apart, deployment.settings or {}, credentials=credentials))
    return wanted


def carry_out(
    wanted_from: t.Callable[[t.Mapping[str, Deployment]], t.Sequence[Wanted]],
    params: t.Mapping[str, t.Any],
    client: t.Any,
    *,
    check_mode: bool,
) -> dict[str, t.Any]:
    """Read the host, plan, apply the plan unless in check mode, and report both in the same format."""
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
        interrupted = store.is_half_written(params["config_dir"]) or proxy_drifted(found)
        rollout = Rollout(options, client, wanted, steps, found)
        reports = [Report(step) for step in steps] if check_mode or not steps else rollout.run()
        if not check_mode:
            # On every run: if a run is killed before this, the next one finishes it.
            firewall.apply()
    if params["wait_for_drain"] and not check_mode:
        rollout.wait_for_drains()
    changed = any(step.changed for step in steps)
    # If nothing was changed and nothing waited for, the first reading is current.
    deployments = read_host(params["config_dir"]) if not check_mode and (changed or params["wait_for_drain"]) else found
    return {
        "carried": None if check_mode else carried(deployments),
        "changed": (bool(wanted) and interrupted) or changed,
        "deployments": [result_entry(report, item, found.get(item.name)) for report, item in zip(reports, wanted)],
        "failures": [report.failure for report in reports if report.failure],
        "diff": [diff_of(item, found.get(item.name)) for step, item in zip(steps, wanted) if step.changed],
    }


def longest(wanted: t.Sequence[Wanted], found: t.Mapping[str, Deployment], options: Options) -> float:
    """Return the seconds that a run may take at most: each revision waits for capacity and a dump, and becomes healthy."""
    contents = [r.content for deployment in found.values() for r in deployment.revisions]
    contents += [item.content for item in wanted]
    drain = max((content.drain_seconds for content in contents if content), default=0)
    settings = [*(item.settings for item in wanted), *(deployment.settings or {} for deployment in found.values())]
    limit = max((each.get("drain_limit", 0) for each in settings), default=0)
    deadline = max((each.get("healthy_deadline", 0) for each in settings), default=0)
    snapshot = SNAPSHOT_SECONDS if options.snapshot_dir else 0
    one = limit + drain + snapshot + deadline + options.min_healthy_time + _SLACK_SECONDS
    rounds = -(-len(wanted) // max(1, min(options.parallel, options.max_extra)))
    # Interrupted or removed revisions end their runs first, and failed ones end theirs last.
    return rounds * one + 2 * (drain + _SLACK_SECONDS)
