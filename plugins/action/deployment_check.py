# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import os
import typing as t

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    COMPUTED_VARIABLES,
    DEFAULT_EXTRA_REVISIONS,
    DEFAULT_RUNNING_REVISIONS,
    MINIMUM_RUNNING_REVISIONS,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import normal_reference
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.connection_budget import (
    HOST_VARIABLES,
    connections_by_name,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.data_proxy import (
    not_accepted,
    servers_not_in_run,
    taken_ports,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.list_rules import (
    CheckContext,
    channel_warnings,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.passwords import (
    MINIMUM_KEY_LENGTH,
    owner_fingerprint,
    previous_owners,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.validate import check_deployments
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._files import (
    find_file,
    find_files,
    is_inventory,
    stale_files,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.archive import ArchiveError, archive_images
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.build_options import (
    builds_of_deployments,
    check_builds,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.langgraph_json import (
    ConfigError,
    baked_env,
    copied_env,
    floats,
    read_config,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._images.plan import (
    listed_images,
    make_needs,
    need_problems,
    wanted_images,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._play import refuse_out_of_step
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._spelling import misspelled

INFO_MODULE = "selfhost.langgraph.deployment_info"


class ActionModule(ActionBase):
    """Check the list of deployments on the control node, against the facts that the host reports."""

    _supports_check_mode = True
    _requires_connection = True

    def run(self, tmp: str | None = None, task_vars: dict[str, t.Any] | None = None) -> dict[str, t.Any]:
        """Check the list and return the complete deployments, with no_log because they contain secrets."""
        super().run(tmp, task_vars)
        task_vars = task_vars or {}
        _validated, options = self.validate_argument_spec(
            argument_spec={
                "deployments": {"type": "raw", "required": True},
                "secret_key": {"type": "str", "required": True, "no_log": True},
                "previous_secret_key": {"type": "str", "default": "", "no_log": True},
                "environment": {"type": "str", "default": ""},
                "only": {"type": "list", "elements": "str", "default": []},
                "only_deployed": {"type": "bool", "default": False},
                "bind_address": {"type": "str", "default": "127.0.0.1"},
                "config_dir": {"type": "path", "default": "/etc/langgraph"},
                "files": {"type": "list", "elements": "path", "default": []},
                "sources": {"type": "dict", "default": {}},
                "image_builds": {"type": "raw", "default": []},
                "image_archives": {"type": "list", "elements": "path", "default": []},
                "image_pull": {"type": "str", "choices": ["always", "missing", "never"], "default": "always"},
                "max_connections": {"type": "int"},
                "proxy": {"type": "str", "choices": ["haproxy", "none"], "default": "haproxy"},
                "max_running_revisions": {"type": "int", "default": DEFAULT_RUNNING_REVISIONS},
                "max_extra_revisions": {"type": "int", "default": DEFAULT_EXTRA_REVISIONS},
                "redis_databases": {"type": "int"},
                "data_proxy": {"type": "dict", "default": {}},
                "limit": {"type": "list", "elements": "str", "default": []},
            }
        )
        refuse_out_of_step(self)
        if len(options["secret_key"]) < MINIMUM_KEY_LENGTH:
            raise AnsibleActionFail(
                f"langgraph_secret_key is shorter than {MINIMUM_KEY_LENGTH} characters; every password is derived "
                "from it: create one with 'openssl rand -hex 32' and keep it in your vault"
            )
        previous = options["previous_secret_key"]
        if previous and (len(previous) < MINIMUM_KEY_LENGTH or previous == options["secret_key"]):
            raise AnsibleActionFail(
                f"langgraph_previous_secret_key is shorter than {MINIMUM_KEY_LENGTH} characters, or the same as langgraph_secret_key; "
                "set it to the previous key, or remove it if the key has not changed"
            )
        if options["proxy"] != "none" and options["max_running_revisions"] < MINIMUM_RUNNING_REVISIONS:
            raise AnsibleActionFail(
                f"langgraph_max_running_revisions is below {MINIMUM_RUNNING_REVISIONS}: a new revision starts next to the one "
                "that serves; raise it, or set langgraph_proxy: none"
            )
        if options["max_extra_revisions"] < 1:
            raise AnsibleActionFail(
                "langgraph_max_extra_revisions is below 1: a new revision starts next to the one that serves; raise it"
            )
        raw = options["deployments"]
        if not isinstance(raw, (list, tuple)):
            raise AnsibleActionFail(
                "langgraph_deployments is not a list; write one entry, '- name: ...', per deployment"
            )
        try:
            paths = find_files(self, options["image_archives"], task_vars)
            archives = {path: archive_images(path) for path in paths}
        except ArchiveError as error:
            raise AnsibleActionFail(str(error)) from error
        builds, warnings, problems = self._builds(options["image_builds"], raw, task_vars)
        references = [normal_reference(build["image"]) for build in builds if build["image"]]
        arguments = {
            "config_dir": options["config_dir"],
            "files": [*options["files"], *options["sources"]],
            "credentials": True,
            "data_servers": servers_not_in_run(options["data_proxy"].get("listeners", ()), options["limit"]),
        }
        host = self._execute_module(module_name=INFO_MODULE, module_args=arguments, task_vars=task_vars)
        if host.get("failed"):
            return host
        hosts = _hosts(task_vars)
        context = self._context(raw, options, host, {"archives": archives, "builds": builds}, hosts, task_vars)
        deployments, found = check_deployments(raw, context)
        problems += found
        warnings += _env_warnings(builds, deployments)
        # Deployments that leave the list, stop or change their drain time drain by the host's recorded value.
        drains = [item["rollout"]["drain_seconds"] for item in deployments]
        drains += [item.get("drain_seconds") or 0 for item in host["deployments"]]
        served = [item["name"] for item in host["deployments"] if item["serving"]]
        deployments = [
            item
            for item in deployments
            if (not options["only"] or item["name"] in options["only"])
            and (not options["only_deployed"] or (item["name"] in served and item["state"] == "present"))
        ]
        wanted = wanted_images(deployments, host)
        needs = make_needs(wanted, references, archives, host["images"], options["image_pull"])
        problems += list(need_problems(needs, host["architecture"]))
        lines = [
            *_misspelled(task_vars, self._extra_vars()),
            *map(str, problems),
            *_data_proxy_lines(options["data_proxy"], host, task_vars),
        ]
        if lines:
            return {"failed": True, "msg": "\n".join(lines), "problems": [problem.as_dict() for problem in problems]}
        warnings += channel_warnings(deployments)
        result = {
            "deployments": deployments,
            "images": wanted,
            "listed_images": listed_images([raw, *(each["langgraph_deployments"] for each in hosts)]),
            "longest_drain": max(drains, default=0),
            "owner": owner_fingerprint(options["secret_key"], options["environment"]),
            "carried": host.get("carried"),
            "previous_owners": previous_owners(options["secret_key"], options["environment"], previous),
            "files": host.get("files", {}),
            "stale_files": stale_files(options["sources"], host.get("files", {})),
            "missing_libraries": host.get("missing_libraries", []),
        }
        return {"changed": False, **result, "warnings": warnings, "_ansible_no_log": True}

    def _builds(
        self, raw: t.Any, deployments: t.Sequence[t.Any], task_vars: dict[str, t.Any]
    ) -> tuple[list[dict[str, t.Any]], list[str], list[Problem]]:
        """Return the builds with the env of their langgraph.json, the warnings, and the problems."""
        builds, problems = check_builds(raw, builds_of_deployments(deployments))
        warnings: list[str] = []
        for build in () if problems else builds:
            directory = find_file(self, build["directory"], task_vars)
            if directory is None or not os.path.isdir(directory):
                finding = f"there is no directory '{printable(build['directory'])}' on the control node"
                problems.append(
                    Problem(
                        build["label"], build.get("option", "directory"), finding, "set the path of the application"
                    )
                )
                continue
            try:
                config = read_config(_read(directory, build["config"]))
                env = baked_env(config, functools.partial(_read_relative, directory, build))
            except OSError:
                finding = f"'{printable(directory)}' has no file '{printable(build['config'])}'"
                problems.append(Problem(build["label"], "config", finding, "set its path in the directory"))
            except ConfigError as error:
                problems.append(
                    Problem(build["label"], "config", f"{printable(build['config'])} {error}", "correct the file")
                )
            else:
                build |= {"directory": directory, "env": env}
                warnings += _build_warnings(build, config)
        return builds, warnings, problems

    def _context(
        self,
        raw: t.Sequence[t.Any],
        options: t.Mapping[str, t.Any],
        host: t.Mapping[str, t.Any],
        images: t.Mapping[str, t.Any],
        hosts: t.Sequence[t.Mapping[str, t.Any]],
        task_vars: dict[str, t.Any],
    ) -> CheckContext:
        written = {entry.get("env_file") for entry in raw if isinstance(entry, t.Mapping)}
        env_files = {path: find_file(self, path, task_vars) for path in written if path and isinstance(path, str)}
        sources = task_vars.get("ansible_inventory_sources") or ()
        built = {normal_reference(build["image"]): build for build in images["builds"] if build["image"]}
        expected = set(host["images"]).union(*images["archives"].values(), built)
        return CheckContext(
            secret_key=options["secret_key"],
            previous_secret_key=options["previous_secret_key"],
            env_files={path: self._content(found) for path, found in env_files.items()},
            inventory_files={path for path, found in env_files.items() if found and is_inventory(found, sources)},
            listening={int(port): program for port, program in host["listening"].items()},
            deployed={
                item["name"]: item["port"] for item in host["deployments"] if item["port"] and not _is_stopped(item)
            },
            images=expected if options["image_pull"] == "never" else None,
            image_envs={name: build.get("env", {}) for name, build in built.items() if build["merge_env"]},
            max_connections=options["max_connections"],
            redis_databases=options["redis_databases"],
            aes_keys=host.get("aes_keys", {}),
            bind_address=options["bind_address"],
            proxy=options["proxy"],
            running_revisions=options["max_running_revisions"],
            extra_revisions=options["max_extra_revisions"],
            connections=connections_by_name(hosts),
        )

    def _extra_vars(self) -> dict[str, t.Any]:
        try:
            return dict(load_extra_vars(self._loader))
        except AnsibleError:
            # Ansible has read them already; a relative path is another one from here.
            return {}

    def _content(self, path: str | None) -> str | None:
        if path is None:
            return None
        try:
            # get_real_file decrypts a file that ansible-vault encrypted.
            with open(self._loader.get_real_file(path), encoding="utf-8") as file:
                return file.read()
        except (AnsibleError, OSError, UnicodeDecodeError):
            return None


def _is_stopped(deployment: t.Mapping[str, t.Any]) -> bool:
    """Return whether a deployment is stopped, and no killed run has left a revision that runs."""
    left = {"running", "starting", "draining"} & {revision["state"] for revision in deployment["revisions"]}
    return bool(deployment.get("stopped")) and not left


def _data_proxy_lines(
    plan: t.Mapping[str, t.Any], host: t.Mapping[str, t.Any], task_vars: t.Mapping[str, t.Any]
) -> list[str]:
    """Return the reasons why the data proxy cannot work: errors in the inventory, other programs, servers that refuse it."""
    name = str(task_vars.get("inventory_hostname", "the host"))
    listeners = plan.get("listeners", ())
    return [
        *plan.get("problems", ()),
        *taken_ports(listeners, host["sockets"], name),
        *not_accepted(listeners, host.get("refused_by", ()), name),
    ]


def _hosts(task_vars: t.Mapping[str, t.Any]) -> list[dict[str, t.Any]]:
    """Return what the check needs of all hosts with deployments, in the run or not. Each access to a variable templates it."""
    found = (task_vars["hostvars"][name] for name in task_vars["groups"].get("langgraph_hosts", ()))
    return [{name: host.get(name) for name in HOST_VARIABLES} for host in found]


def _misspelled(task_vars: t.Mapping[str, t.Any], extra: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    """Return the lines about misspelled variables of this host and of the hosts with Redis and Postgres, and misspelled groups."""
    groups, hosts = task_vars.get("groups", {}), task_vars.get("hostvars", {})
    servers = {name for group in ("langgraph_redis", "langgraph_postgres") for name in groups.get(group, ())}
    names = {str(name) for host in servers if host in hosts for name in hosts[host]}
    return misspelled({*names, *map(str, task_vars)}, groups, extra)


def _read(*path: str) -> str:
    with open(os.path.join(*path), encoding="utf-8", errors="replace") as file:
        return file.read()


def _read_relative(directory: str, build: t.Mapping[str, t.Any], path: str) -> str | None:
    """Read a file with a path in langgraph.json, which is relative to that file; return None if there is none."""
    try:
        return _read(directory, os.path.dirname(build["config"]), path)
    except OSError:
        return None


def _build_warnings(build: t.Mapping[str, t.Any], config: t.Mapping[str, t.Any]) -> t.Iterator[str]:
    label = f"{build['label']}, image '{build['image']}'"
    if build["pull"] and floats(config, build["base_image"], build["api_version"]):
        yield f"{label}: the base image is not pinned, a later build may use a newer server; set api_version to a full version"
    env = copied_env(config, _read_relative(build["directory"], build, ".dockerignore"))
    if env:
        yield f"{label}: the file '{printable(env)}' with its secrets becomes part of the image; list it in .dockerignore"


def _env_warnings(
    builds: t.Iterable[t.Mapping[str, t.Any]], deployments: t.Sequence[t.Mapping[str, t.Any]]
) -> t.Iterator[str]:
    """Warn about variables in the env of a langgraph.json that no deployment with that image has."""
    for build in builds:
        name = normal_reference(build["image"]) if build["image"] else None
        users = [
            item["rollout"]["environment"]
            for item in deployments
            if item["image"] and normal_reference(item["image"]) == name
        ]
        lost = sorted(set(build.get("env") or ()) - COMPUTED_VARIABLES.keys() - {key for user in users for key in user})
        if users and lost and not build["merge_env"]:
            label = f"{build['label']}, image '{build['image']}'"
            yield (
                f"{label}: env of {build['config']} ({', '.join(lost)}) is not part of an image; set merge_env: true or set it "
                "in env"
            )
