# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""What the module redis_database does, between its options and its result."""

from __future__ import annotations

import typing as t

from ansible.module_utils.basic import missing_required_lib

from ansible_collections.selfhost.langgraph.plugins.module_utils import _redis_release
from ansible_collections.selfhost.langgraph.plugins.module_utils._claims import ClaimError, Refused, refuse
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_acl import CommandSets, is_open
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_connection import (
    MINIMUM_VERSION,
    REDIS_IMPORT_ERROR,
    Reply,
    Server,
    as_mapping,
    connect,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_plan import (
    Entry,
    Plan,
    World,
    diff_of,
    entry_problems,
    known_numbers,
    known_problems,
    make_plan,
    result_of,
    script_input,
    script_problems,
    warnings_of,
    world_problems,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._redis_script import (
    CLAIM_SCRIPT,
    CLAIMS_KEY,
    UNSAVED_KEY,
)

if t.TYPE_CHECKING:
    from ansible.module_utils.basic import AnsibleModule

# A category that a server does not have is answered with an error and left out.
CATEGORIES = (
    "keyspace read write set sortedset list hash string bitmap hyperloglog geo stream pubsub admin fast slow blocking"
    " dangerous connection transaction scripting bloom cuckoo cms topk tdigest search json timeseries"
).split()


def ensure(server: Server, params: t.Mapping[str, t.Any], check_mode: bool) -> dict[str, t.Any]:
    """Bring claims and users to where they should be, or say what would be done."""
    entries: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "present"]
    leaving: list[Entry] = [entry for entry in params["databases"] if entry["state"] == "absent"]
    manage_users: bool = params["manage_users"]
    known = known_numbers(params["known_claims"], params["redis_server"])
    refuse(entry_problems(params["databases"], manage_users))
    refuse(known_problems(known, {entry["name"] for entry in params["databases"]}))
    world = read_world(server, [entry["name"] for entry in params["databases"]] if manage_users else [])
    refuse(world_problems(params["databases"], world))
    releases = _redis_release.look(server, leaving, known, world)
    answer = server.script(CLAIM_SCRIPT, CLAIMS_KEY, script_input(entries, known, world, dry=check_mode))
    refuse(script_problems(answer))
    plan = make_plan(entries, answer, world, manage_users)
    if not check_mode:
        apply_users(server, plan, world)
        _redis_release.carry_out(server, releases, known, save=world.acl_file != "")
    result = result_of(entries, plan, answer, manage_users)
    warnings = warnings_of(world, answer, manage_users)
    for release in releases:
        result["databases"][release.name] = release.result()
        result["actions"] += release.actions()
        warnings += filter(None, [release.warning()])
    return {**result, "changed": bool(result["actions"]), "diff": diff_of(plan, releases), "warnings": warnings}


def read_world(server: Server, names: t.Sequence[str]) -> World:
    """Ask everything that has to be known, in one round trip."""
    questions: list[tuple[str, ...]] = [
        ("INFO", "server"),
        ("CONFIG", "GET", "databases"),
        ("CONFIG", "GET", "aclfile"),
        ("EXISTS", UNSAVED_KEY),
        ("ACL", "WHOAMI"),
        ("ACL", "GETUSER", "default"),
    ]
    head = len(questions)
    questions += [("ACL", "CAT", category) for category in CATEGORIES]
    questions += [("ACL", "GETUSER", name) for name in names]
    replies = server.pipeline(questions)
    info, databases, acl_file, unsaved, me, default = replies[:head]
    sets = dict(zip(CATEGORIES, replies[head : head + len(CATEGORIES)]))
    users = dict(zip(names, replies[head + len(CATEGORIES) :]))
    limit, path = _setting(databases, "databases"), _setting(acl_file, "aclfile")
    return World(
        version=_version(info),
        databases=int(limit) if limit else None,
        acl_file=path,
        unsaved=unsaved == 1,
        open_default=not isinstance(default, Exception) and is_open(as_mapping(default)),
        me=me if isinstance(me, str) else "",
        sets=CommandSets({name: frozenset(reply) for name, reply in sets.items() if not isinstance(reply, Exception)}),
        users={name: _user(reply) for name, reply in users.items()},
    )


def _setting(reply: Reply, name: str) -> str | None:
    # Managed services forbid CONFIG; None means that the server did not tell.
    return None if isinstance(reply, Exception) else t.cast("str | None", as_mapping(reply).get(name))


def _user(reply: Reply) -> dict[str, t.Any] | None:
    if isinstance(reply, Exception):
        raise ClaimError(
            f"this Redis does not let us manage users ({reply}). Log in as a user that may use ACL, or set"
            " manage_users to false and live without isolation inside Redis."
        )
    return as_mapping(reply) if reply is not None else None


def _version(info: Reply) -> str:
    if isinstance(info, str):
        info = dict(line.split(":", 1) for line in info.splitlines() if ":" in line)
    if not isinstance(info, dict):
        return ""
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < MINIMUM_VERSION:
        raise ClaimError(f"Redis {version} is too old: users cannot be held to one number. Use 7.0 or newer.")
    return version


def apply_users(server: Server, plan: Plan, world: World) -> None:
    """Set all users and save them as one transaction, so that a crash cannot leave users that are not saved.

    A save that fails (a full disk) leaves a mark, from which the next run knows that it has to save again.
    """
    if not plan.users and not plan.save:
        return
    commands: list[tuple[str, ...]] = [("SET", UNSAVED_KEY, "1")]
    commands += [("ACL", "SETUSER", user.name, *user.rules()) for user, _what in plan.users]
    if plan.save:
        commands.append(("ACL", "SAVE"))
    replies = server.pipeline(commands, atomic=True)
    for command, reply in zip(commands, replies):
        if isinstance(reply, Exception) and not (command[1] == "SAVE" and world.acl_file is None):
            # A managed service that hides its configuration keeps users in its own way.
            subject = f"set up user '{command[2]}'" if command[1] == "SETUSER" else "save the users to the aclfile"
            raise ClaimError(f"Redis could not {subject}: {reply}. Nothing is lost: run this again once it is cured.")
    server.call("DEL", UNSAVED_KEY)


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
