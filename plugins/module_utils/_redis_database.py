# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module redis_database does, between its options and its result."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.selfhost.langgraph.plugins.module_utils import _redis_release, _redis_shared
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import ClaimError, Refused, refuse
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_connection import (
    REDIS_IMPORT_ERROR,
    Server,
    connect,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_plan import (
    Entry,
    Plan,
    World,
    entry_problems,
    known_numbers,
    known_problems,
    make_plan,
    script_input,
    script_problems,
    world_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_report import diff_of, result_of, warnings_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_script import (
    CLAIM_SCRIPT,
    CLAIMS_KEY,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_world import change_users, read_world

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule


def ensure(server: Server, params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Bring claims and users to where they should be, or say what would be done."""
    names = [entry["name"] for entry in params["databases"]]
    entries: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "present"]
    leaving: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "absent"]
    manage_users: bool = params["manage_users"]
    known = known_numbers(params["known_claims"])
    refuse(entry_problems(params["databases"], manage_users))
    refuse(known_problems(known, names))
    world = read_world(server, names if manage_users else [])
    refuse(world_problems(params["databases"], world))
    shared = _redis_shared.is_shared(world, params["allow_shared_number"])
    if shared:
        refuse(_redis_shared.overlap_problems(entries, server.call("ACL", "LIST")))
    releases = _redis_release.look(server, leaving, known, world)
    question = {**script_input(entries, known, world, dry=check_mode), "shared": shared}
    answer = server.script(CLAIM_SCRIPT, CLAIMS_KEY, question)
    refuse(script_problems(answer))
    plan = make_plan(entries, answer, world, manage_users)
    others = _plans_of_other_nodes(server, entries, answer, world, names) if world.cluster and manage_users else []
    if not check_mode:
        apply_users(server, plan, world)
        for node, node_plan, node_world in others:
            apply_users(node, node_plan, node_world)
        _redis_release.carry_out(server, releases, known, world, [other[0] for other in others])
    for _node, node_plan, _world in others:
        plan.actions += [action for action in node_plan.actions if action not in plan.actions]
    result = result_of(entries, plan, answer, manage_users)
    warnings = warnings_of(world, answer, manage_users) + _redis_shared.warnings_of(shared)
    for release in releases:
        result["databases"][release.name] = release.result()
        result["actions"] += release.actions()
        # Check mode loses nothing anyway.
        warnings += filter(None, [None if check_mode else release.warning()])
    result.update(server=None, address=params["address"], durable="redis")
    return {**result, "changed": bool(result["actions"]), "diff": diff_of(plan, releases), "warnings": warnings}


def _plans_of_other_nodes(
    server: Server, entries: list[Entry], answer: t.Mapping[str, t.Any], world: World, names: t.Sequence[str]
) -> list[tuple[Server, Plan, World]]:
    """Plan the users of the other nodes of a cluster; each node keeps its own. Claims are not of a node."""
    plans = []
    for node in _redis_shared.other_nodes(server):
        node_world = read_world(node, names)
        plans.append((node, make_plan(entries, {**answer, "fresh": []}, node_world, True), node_world))
    return plans


def apply_users(server: Server, plan: Plan, world: World) -> None:
    """Set all users that are not as they should be."""
    if plan.users or plan.save:
        commands = [("ACL", "SETUSER", user.name, *user.rules()) for user, _what in plan.users]
        change_users(server, world, commands, plan.save)


def run_module(
    module: AnsibleModule, work: t.Callable[[Server, t.Mapping[str, t.Any], bool], dict[str, t.Any]]
) -> t.NoReturn:
    """Connect, work, and leave the module with a result or with one line per refusal."""
    if REDIS_IMPORT_ERROR is not None:
        module.fail_json(msg=missing_required_lib("redis"), exception=REDIS_IMPORT_ERROR)
    try:
        server = connect(module.params)
        result = work(server, module.params, module.check_mode)
        server.close()
    except Refused as exc:
        module.fail_json(msg=str(exc), problems=[problem.as_dict() for problem in exc.problems])
    except ClaimError as exc:
        module.fail_json(msg=str(exc))
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)
