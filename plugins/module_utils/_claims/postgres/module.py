# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The implementation of postgres_database, and what it shares with postgres_database_info."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import (
    ClaimError,
    Refused,
    Unavailable,
    raise_for_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.owner import Owner
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import managed
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres import release as _release
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.apply import apply_plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import (
    PSYCOPG_IMPORT_ERROR,
    connect,
    enter,
    log_in,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.lock import lock
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.logins import (
    Entry,
    compare_passwords,
    login_problems,
    logins_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.plan import Plan, make_plan
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.problems import (
    entry_problems,
    state_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.report import (
    diff_of,
    result_of,
    warnings_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import (
    ServerState,
    read_state,
    require_writable,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.timeouts import PatientSession
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.ansible_module import require

try:
    import psycopg
except ImportError:
    pass  # reported by connection.py

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.connection import Connection

Params = t.Mapping[str, t.Any]


@dataclass
class StateAndPlan:
    """The state of the server, and the plan that follows from it."""

    state: ServerState
    plan: Plan
    releases: list[_release.Release]
    unknown: dict[str, str]  # by role: why it is unknown whether it has the wanted password

    def actions(self) -> list[dict[str, t.Any]]:
        """List all actions."""
        return self.plan.actions() + [action for release in self.releases for action in release.actions()]


def ensure(connection: Connection, params: Params, check_mode: bool) -> dict[str, t.Any]:
    """Bring roles and databases to the wanted state, or report what would be done."""
    raise_for_problems(entry_problems(params["databases"]))
    current = _read_and_plan(connection, params)
    if current.actions() and not check_mode:
        # Others may have made changes while we waited, so the plan is made again under the lock.
        with connect(params) as lock_session, lock(lock_session, params["lock_timeout"]):
            current = _read_and_plan(connection, params)
            _apply(connection, params, current)
            if any(need.logins.retire for need in current.plan.needs):
                # This also undoes what a session did with its rights before it was ended, such as granting them to others.
                _apply(connection, params, _read_and_plan(connection, params))
    result = result_of(current.plan, current.state)
    warnings = warnings_of(params["databases"], current.state, current.plan)
    warnings += managed.warnings_of(params["revoke_public_connect"], current.state)
    warnings += managed.unknown_warnings(current.unknown)
    for release in current.releases:
        result["databases"][release.name] = release.result()
        # Check mode deletes nothing anyway.
        warnings += filter(None, [None if check_mode else release.warning()])
    actions = current.actions()
    diff = diff_of(current.plan, current.releases)
    return {**result, "changed": bool(actions), "actions": actions, "diff": diff, "warnings": warnings}


def _apply(connection: Connection, params: Params, current: StateAndPlan) -> None:
    ours = [role.name for role in current.state.roles.values() if role.claim_comment]
    patient = PatientSession(connection, lambda: connect(params), ours)
    apply_plan(patient, entering(params, current.state), current.plan, current.state.superuser)
    _release.apply_release(patient, current.releases)


def _read_and_plan(connection: Connection, params: Params) -> StateAndPlan:
    entries: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "present"]
    leaving: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "absent"]
    extensions = {extension for entry in entries for extension in entry["extensions"]}
    owner = Owner(params["owner"], tuple(params["previous_owners"]), params["take_over"])
    state = read_state(
        connection, [role for entry in params["databases"] for role in logins_of(entry["name"])], extensions
    )
    require_writable(state)
    raise_for_problems(state_problems(entries, state, owner))
    raise_for_problems(managed.privilege_problems(entries, state))
    releases = _release.plan_release(connection, entering(params, state), leaving, state, owner)
    close = managed.closable(params["revoke_public_connect"], state)
    unknown: dict[str, str] = {}
    fitting = compare_passwords(entries, state)
    if not state.superuser:
        fitting, unknown = managed.passwords_by_login(
            entries, state, lambda database, role, password: log_in(params, database, role, password)
        )
    raise_for_problems(login_problems(entries, state, fitting))
    return StateAndPlan(state, make_plan(entries, state, close, fitting, owner.name), releases, unknown)


def entering(params: Params, state: ServerState) -> t.Callable[[str], Connection]:
    """Return a function that connects to a database of a deployment as the current role."""
    return lambda database: enter(params, database, state.me["name"], state.version)


def run_module(
    module: AnsibleModule, work: t.Callable[[Connection, Params, bool], dict[str, t.Any]], *, optional: bool = False
) -> t.NoReturn:
    """Connect, run ``work``, and exit the module with its result or with one line per problem.

    If the server is ``optional``, the module reports why it is unavailable, and does not fail.
    """
    library = ("psycopg", PSYCOPG_IMPORT_ERROR)
    if optional:
        require(module, wished=[library])
        if PSYCOPG_IMPORT_ERROR is not None:
            module.exit_json(changed=False, unavailable="the Python library 'psycopg' is missing")
    else:
        require(module, library)
    try:
        with connect(module.params) as connection:
            result = work(connection, module.params, module.check_mode)
    except Refused as exc:
        module.fail_json(msg=str(exc), problems=[problem.as_dict() for problem in exc.problems])
    except Unavailable as exc:
        if optional:
            module.exit_json(changed=False, unavailable=str(exc))
        module.fail_json(msg=str(exc))
    except ClaimError as exc:
        module.fail_json(msg=str(exc))
    except psycopg.Error as exc:
        # Never the whole message: it can quote the statement, and with it a verifier.
        reason = exc.diag.message_primary or type(exc).__name__
        module.fail_json(msg=f"Postgres refused: {reason}. Fix the cause and run again.")
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)
