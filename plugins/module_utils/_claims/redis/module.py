# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The implementation of the module redis_database."""

from __future__ import annotations

import typing as t
import uuid

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import (
    ClaimError,
    Refused,
    raise_for_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import owner_of
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import cluster, durable, users
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import keys as _keys
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis import release as _release
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.connection import (
    REDIS_IMPORT_ERROR,
    Server,
    connect,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.error_messages import script_problems
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.logins import (
    changed_users,
    login_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.plan import (
    Plan,
    entry_problems,
    has_user,
    make_plan,
    patterns_of,
    resets_of,
    script_input,
    state_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.record import CLAIMS_KEY
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.report import (
    diff_of,
    result_of,
    warnings_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.scripts import CLAIM_SCRIPT
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.redis.state import (
    Entry,
    ServerState,
    read_state,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common import redis_channels
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import require
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.redis_rights import users_of

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

Params = t.Mapping[str, t.Any]


def ensure(server: Server, params: Params, check_mode: bool) -> dict[str, t.Any]:
    """Bring claims and users to the wanted state, or report what would be done."""
    names = [user for entry in params["databases"] for user in users_of(entry["name"])]
    entries: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "present"]
    leaving: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "absent"]
    manage_users: bool = params["manage_users"]
    raise_for_problems(entry_problems(params["databases"], manage_users))
    owner_of(params)
    state = read_state(server, names if manage_users else [])
    raise_for_problems(state_problems(params["databases"], state))
    shared = cluster.single_db(server, state, params["allow_shared_number"])
    if shared:
        raise_for_problems(cluster.overlap_problems(entries, state.rules or (), changed_users(entries, state)))
    with_users = [entry for entry in entries if manage_users and has_user(entry)]
    raise_for_problems(login_problems(with_users, state))
    sharing_channels = users.check_channels(with_users, state)
    releases = _release.plan_release(server, leaving, state, params)
    answer = claim(server, entries, state, params, dry=check_mode or state.no_users is not None, shared=shared)
    plan = make_plan(entries, answer, state, manage_users)
    users.require_user_rights(plan, state)
    if state.no_users is not None and not check_mode:
        # No user has to be changed, so the claims can be made.
        answer = claim(server, entries, state, params, dry=False, shared=shared)
    others = _plans_of_other_nodes(server, entries, answer, plan, names) if state.cluster and manage_users else []
    not_durable = None
    if not check_mode:
        not_durable = _make_durable(server.home, state, bool(answer["writes"]))
        users.apply(server, plan, state, with_users)
        for node, node_plan, node_state in others:
            users.apply(node, node_plan, node_state, with_users)
        users.forget_resets(server, plan)
        released = _release.apply_release(server, releases, state, params, [other[0] for other in others])
        not_durable = not_durable or (released and _make_durable(server.home, state, True)) or None
    for _node, node_plan, _state in others:
        plan.actions += [action for action in node_plan.actions if action not in plan.actions]
    result = result_of(entries, plan, answer)
    warnings = warnings_of(state, answer, manage_users) + cluster.warnings_of(shared)
    warnings += redis_channels.warnings_of(sharing_channels)
    warnings += durable.warnings_of(not_durable)
    for release in releases:
        result["databases"][release.name] = release.result()
        result["actions"] += release.actions()
        # Check mode deletes nothing anyway.
        warnings += filter(None, [None if check_mode else release.warning()])
    result.update(
        server=answer.get("server"), address=params["address"], durable="postgres" if not_durable else "redis"
    )
    return {**result, "changed": bool(result["actions"]), "diff": diff_of(plan, releases), "warnings": warnings}


def claim(
    server: Server, entries: list[Entry], state: ServerState, params: Params, dry: bool, shared: bool
) -> dict[str, t.Any]:
    """Run the claims script; if it would restore a database number that has keys, check first whose keys they are."""
    owner = owner_of(params)
    question = script_input(entries, state, params, dry=dry, shared=shared, new_server=str(uuid.uuid4()))
    answer = server.script(CLAIM_SCRIPT, CLAIMS_KEY, question)
    raise_for_problems(script_problems(answer, owner))
    if answer["to_check"]:
        to_check = {item["name"]: int(item["db"]) for item in answer["to_check"]}
        patterns = {
            to_check[entry["name"]]: patterns_of(entry, state) for entry in entries if entry["name"] in to_check
        }
        found = _keys.classify(server, patterns)
        raise_for_problems(filter(None, (found[db].problem(name, "name", db) for name, db in to_check.items())))
        answer = server.script(CLAIM_SCRIPT, CLAIMS_KEY, {**question, "checked": list(to_check)})
        raise_for_problems(script_problems(answer, owner))
        if answer["to_check"]:
            raise ClaimError("Redis changed while its keys were read. Nothing was claimed: run again.")
    return answer


def _make_durable(server: Server, state: ServerState, written: bool) -> str | None:
    """Wait for the disk, and restore what an interrupted run has left; return the reason if the server permits neither."""
    if written:
        return durable.make_durable(server, state.append_only)
    if durable.SYNC_FIELD in state.fields:
        durable.sync_now(server)
    return None


def _plans_of_other_nodes(
    server: Server, entries: list[Entry], answer: t.Mapping[str, t.Any], plan: Plan, names: t.Sequence[str]
) -> list[tuple[Server, Plan, ServerState]]:
    """Plan the users of the other nodes of a cluster; each node has its own. Claims and logins are not per node."""
    chosen = {name: login.user for name, login in plan.logins.items()}
    plans = []
    for node in cluster.other_nodes(server):
        node_state = read_state(node, names)
        node_answer = {**answer, "fresh": [], "adopted": [], "marks": False, "reset": resets_of(answer)}
        plans.append((node, make_plan(entries, node_answer, node_state, True, chosen), node_state))
    return plans


def run_module(module: AnsibleModule, work: t.Callable[[Server, Params, bool], dict[str, t.Any]]) -> t.NoReturn:
    """Connect, run ``work``, and exit the module with its result or with one line per problem."""
    require(module, ("redis", REDIS_IMPORT_ERROR))
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
