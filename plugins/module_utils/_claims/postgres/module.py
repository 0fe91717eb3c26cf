# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the modules postgres_database and postgres_database_info do, between their options and their results."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import ClaimError, Refused, refuse
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
    world_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.report import (
    diff_of,
    result_of,
    warnings_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.postgres.state import (
    World,
    demand_writable,
    read_world,
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
class View:
    """What was seen, and what follows from it."""

    world: World
    plan: Plan
    releases: list[_release.Release]
    unknown: dict[str, str]  # by role: why it could not be found out whether it has the wanted password

    def actions(self) -> list[dict[str, t.Any]]:
        """List everything that is done."""
        return self.plan.actions() + [action for release in self.releases for action in release.actions()]


def ensure(connection: Connection, params: Params, check_mode: bool) -> dict[str, t.Any]:
    """Bring roles and databases to where they should be, or say what would be done."""
    refuse(entry_problems(params["databases"]))
    view = _look(connection, params)
    if view.actions() and not check_mode:
        # Others may have worked while we waited for our turn, so what counts is what is seen under the lock.
        with connect(params) as turn, lock(turn, params["lock_timeout"]):
            view = _look(connection, params)
            _carry_out(connection, params, view)
            if any(need.logins.retire for need in view.plan.needs):
                # What a session did with its rights until it was ended, as giving them to others, is undone, too.
                _carry_out(connection, params, _look(connection, params))
    result = result_of(view.plan, view.world)
    warnings = warnings_of(params["databases"], view.world, view.plan)
    warnings += managed.warnings_of(params["close_databases"], view.world)
    warnings += managed.unknown_warnings(view.unknown)
    for release in view.releases:
        result["databases"][release.name] = release.result()
        # Check mode loses nothing anyway.
        warnings += filter(None, [None if check_mode else release.warning()])
    actions = view.actions()
    diff = diff_of(view.plan, view.releases)
    return {**result, "changed": bool(actions), "actions": actions, "diff": diff, "warnings": warnings}


def _carry_out(connection: Connection, params: Params, view: View) -> None:
    ours = [role.name for role in view.world.roles.values() if role.mark]
    patient = PatientSession(connection, lambda: connect(params), ours)
    apply_plan(patient, entering(params, view.world), view.plan, view.world.superuser)
    _release.carry_out(patient, view.releases)


def _look(connection: Connection, params: Params) -> View:
    entries: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "present"]
    leaving: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "absent"]
    extensions = {extension for entry in entries for extension in entry["extensions"]}
    owner = Owner(params["owner"], tuple(params["previous_owners"]), params["take_over"])
    world = read_world(
        connection, [role for entry in params["databases"] for role in logins_of(entry["name"])], extensions
    )
    demand_writable(world)
    refuse(world_problems(entries, world, owner))
    refuse(managed.privilege_problems(entries, world))
    releases = _release.look(connection, entering(params, world), leaving, world, owner)
    close = managed.closable(params["close_databases"], world)
    unknown: dict[str, str] = {}
    fitting = compare_passwords(entries, world)
    if not world.superuser:
        fitting, unknown = managed.passwords_by_login(
            entries, world, lambda database, role, password: log_in(params, database, role, password)
        )
    refuse(login_problems(entries, world, fitting))
    return View(world, make_plan(entries, world, close, fitting, owner.name), releases, unknown)


def entering(params: Params, world: World) -> t.Callable[[str], Connection]:
    """Give the way into the databases of deployments, as whom we are now."""
    return lambda database: enter(params, database, world.me["name"])


def run_module(module: AnsibleModule, work: t.Callable[[Connection, Params, bool], dict[str, t.Any]]) -> t.NoReturn:
    """Connect, work, and leave the module with a result or with one line per refusal."""
    require(module, ("psycopg", PSYCOPG_IMPORT_ERROR))
    try:
        with connect(module.params) as connection:
            result = work(connection, module.params, module.check_mode)
    except Refused as exc:
        module.fail_json(msg=str(exc), problems=[problem.as_dict() for problem in exc.problems])
    except ClaimError as exc:
        module.fail_json(msg=str(exc))
    except psycopg.Error as exc:
        # Never the whole text: it can quote the statement, and so a verifier.
        reason = exc.diag.message_primary or type(exc).__name__
        module.fail_json(msg=f"Postgres refused: {reason}. Run this again once it is cured.")
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)
