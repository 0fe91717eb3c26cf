# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every error in a list results in one line with the deployment, the option and the remedy."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.credentials import aes_fingerprint
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.deployment_options import (
    OPTIONS,
    SECRET_OPTIONS,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.names import identifier
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.list_rules import (
    CheckContext,
    channel_warnings,
)
from ansible_collections.selfhost.langgraph.plugins.plugin_utils._deployments.validate import check_deployments

KEY = "0123456789abcdef0123456789abcdef"
BOT = {"name": "support-bot", "image": "support-bot:1", "port": 8123, "langsmith_api_key": "lsv2_pt_one"}
OTHER = {"name": "research", "image": "research:1", "port": 8124, "langgraph_cloud_license_key": "lic-two"}


def bot(**changes: t.Any) -> dict[str, t.Any]:
    """Return BOT with changed values; ``...`` removes an option."""
    return {key: value for key, value in {**BOT, **changes}.items() if value is not ...}


def lines(*entries: t.Any, **context: t.Any) -> list[str]:
    """Return the problems of a list, as users see them."""
    return [str(problem) for problem in check_deployments(entries, CheckContext(KEY, **context))[1]]


def complete(*entries: t.Any, **context: t.Any) -> list[t.Any]:
    """Return the deployments of a list without problems."""
    deployments, problems = check_deployments(entries, CheckContext(KEY, **context))
    assert problems == []
    return deployments


def line(option: str, text: str, deployment: str = "support-bot") -> list[str]:
    return [f"deployment '{deployment}', option '{option}': {text}"]


ONE_DEPLOYMENT: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "illegal characters": (
        bot(name="Support_Bot"),
        line(
            "name",
            "has characters that are not allowed for a Postgres database, a systemd unit and a container; "
            "use a-z, 0-9 and inner hyphens, and begin with a letter",
            "Support_Bot",
        ),
    ),
    "longer than an identifier": (
        bot(name="a" * 64),
        line(
            "name", "has 64 characters; a Postgres identifier has at most 63: choose a shorter name", "a" * 57 + "..."
        ),
    ),
    "a name of Postgres": (
        bot(name="postgres"),
        line("name", "is reserved by Postgres or Redis; choose another name", "postgres"),
    ),
    "a prefix of Postgres": (
        bot(name="pg-bot"),
        line("name", "is reserved by Postgres or Redis; choose another name", "pg-bot"),
    ),
    "name is a number": (bot(name=5), line("name", "is a number (5); it must be a string", "5")),
    "name is missing": (bot(name=...), line("name", "is missing; set it to a string", "entry 1")),
    "name is empty": (bot(name=" "), line("name", "is empty; set a value or remove it", "entry 1")),
    "name is null": (bot(name=None), line("name", "is missing; set it to a string", "entry 1")),
    "image is missing": (bot(image=...), line("image", "is missing; set it to a string")),
    "image with a space": (
        bot(image="my bot:1"),
        line("image", "is not an image reference; write NAME:TAG or NAME@DIGEST, the name in lower case"),
    ),
    "image in upper case": (
        bot(image="Bot:1"),
        line("image", "is not an image reference; write NAME:TAG or NAME@DIGEST, the name in lower case"),
    ),
    "port is missing": (bot(port=...), line("port", "is missing; set it to a whole number")),
    "port is true": (bot(port=True), line("port", "is true or false (True); it must be a whole number")),
    "port is text": (bot(port="http"), line("port", "is a string (http); it must be a whole number")),
    "port is a fraction": (bot(port=80.5), line("port", "is a number (80.5); it must be a whole number")),
    "port is a digit of another script": (bot(port="²"), line("port", "is a string (²); it must be a whole number")),
    "port is two lines": (bot(port="80\n81"), line("port", "is a string (80 81); it must be a whole number")),
    "port is too large": (bot(port=65536), line("port", "65536 is too large; it must be at most 65535")),
    "port is zero": (bot(port="0"), line("port", "0 is too small; it must be at least 1")),
    "address is a name": (
        bot(bind_address="localhost"),
        line("bind_address", "'localhost' is not an IP address; set an address of the host"),
    ),
    "unknown state": (
        bot(state="halted"),
        line("state", "'halted' is unknown; choose one of present, stopped"),
    ),
    "typo": (bot(prot=8125), line("prot", "is not an option of a deployment; did you mean 'port'?")),
    "typo in upper case": (
        bot(MOUNT_PREFX="/x"),
        line("MOUNT_PREFX", "is not an option of a deployment; did you mean 'mount_prefix'?"),
    ),
    "a variable's name": (
        bot(LOG_LEVEL="INFO"),
        line("LOG_LEVEL", "is not an option of a deployment; did you mean 'log_level'?"),
    ),
    "a variable of the collection": (
        bot(REDIS_URI="redis://x"),
        line(
            "REDIS_URI",
            "is not an option of a deployment; remove it: the collection claims the Redis database and sets it",
        ),
    ),
    "something else entirely": (
        bot(xyzzy=1),
        line(
            "xyzzy",
            "is not an option of a deployment; remove it, or put a variable of the application into 'env'",
        ),
    ),
    "no credential": (
        bot(langsmith_api_key=...),
        line(
            "langsmith_api_key",
            "neither it nor 'langgraph_cloud_license_key' is set, and the LangGraph server does not start without one; set one"
            " of them, or 'edition: none' for an image without a licence check",
        ),
    ),
    "two credentials": (
        bot(langgraph_cloud_license_key="lic"),
        line(
            "langgraph_cloud_license_key",
            "is set together with 'langsmith_api_key'; keep one, or set 'edition: enterprise' if the LangSmith key "
            "is for tracing",
        ),
    ),
    "lite with a licence": (
        bot(edition="lite", langgraph_cloud_license_key="lic"),
        line(
            "langgraph_cloud_license_key",
            "is set, but the edition is lite; edition lite needs only 'langsmith_api_key'",
        ),
    ),
    "lite without a key": (
        bot(edition="lite", langsmith_api_key=...),
        line(
            "langsmith_api_key",
            "is missing, and the edition is lite; edition lite needs only 'langsmith_api_key'",
        ),
    ),
    "enterprise without a licence": (
        bot(edition="enterprise"),
        line("langgraph_cloud_license_key", "is missing, and the edition is enterprise; set the licence key"),
    ),
    "prefix without a slash": (
        bot(mount_prefix="support"),
        line("mount_prefix", "'support' does not begin with a slash; write /support"),
    ),
    "prefix with a last slash": (
        bot(mount_prefix="/support/"),
        line("mount_prefix", "'/support/' ends with a slash; remove the last slash"),
    ),
    "prefix with a space": (
        bot(mount_prefix="/sup port"),
        line("mount_prefix", "'/sup port' is not a plain path; use letters, digits, '-', '.', '_' and '~' in it"),
    ),
    "prefix with an empty part": (
        bot(mount_prefix="/a//b"),
        line("mount_prefix", "'/a//b' is not a plain path; use letters, digits, '-', '.', '_' and '~' in it"),
    ),
    "prefix that would be a directive": (
        bot(mount_prefix="/a }"),
        line("mount_prefix", "'/a }' is not a plain path; use letters, digits, '-', '.', '_' and '~' in it"),
    ),
    "host name with a port": (
        bot(hostname="support.example.com:8123"),
        line("hostname", "'support.example.com:8123' is not a host name; write it as support.example.com"),
    ),
    "host name with an underscore": (
        bot(hostname="support_bot.example.com"),
        line("hostname", "'support_bot.example.com' is not a host name; write it as support.example.com"),
    ),
    "host name that ends with a hyphen": (
        bot(hostname="support-.example.com"),
        line("hostname", "'support-.example.com' is not a host name; write it as support.example.com"),
    ),
    "host name with an empty part": (
        bot(hostname="support..com"),
        line("hostname", "'support..com' is not a host name; write it as support.example.com"),
    ),
    "host name that is too long": (
        bot(hostname=f"{'a.' * 127}"),
        line("hostname", f"'{'a.' * 28}a...' is not a host name; write it as support.example.com"),
    ),
    "TLS is a word": (bot(tls="maybe"), line("tls", "is a string (maybe); it must be true or false")),
    "prefix of a slash": (bot(mount_prefix="/"), line("mount_prefix", "'/' ends with a slash; remove the option")),
    "AES key of 5 bytes": (
        bot(langgraph_aes_key="short"),
        line("langgraph_aes_key", "has 5 bytes; a key has 16, 24 or 32 bytes"),
    ),
    "AES key of 16 characters but 17 bytes": (
        bot(langgraph_aes_key="0123456789abcdeé"),
        line("langgraph_aes_key", "has 17 bytes; a key has 16, 24 or 32 bytes"),
    ),
    "endpoints of two kinds": (
        bot(langsmith_runs_endpoints={"https://a": "k"}, langchain_endpoint="https://b"),
        line(
            "langsmith_runs_endpoints",
            "is set together with 'langchain_endpoint'; the LangSmith SDK takes one of them",
        ),
    ),
    "endpoint without a scheme": (
        bot(langsmith_endpoint="eu.api.smith.langchain.com"),
        line("langsmith_endpoint", "is not a URL; begin with http:// or https://"),
    ),
    "auth without a tenant": (
        bot(langgraph_auth_type="langsmith", langsmith_auth_endpoint="https://a"),
        line("langsmith_tenant_id", "is missing, and langgraph_auth_type is langsmith; set it"),
    ),
    "memory without a unit that exists": (
        bot(memory="2GB"),
        line("memory", "'2GB' is not a size; write it as the engine does, for example 512m or 2g"),
    ),
    "memory in bytes by mistake": (
        bot(memory="512"),
        line(
            "memory",
            "'512' is less than the engine's minimum of 6m; write it as the engine does, for example 512m or 2g",
        ),
    ),
    "cpus is not a number": (bot(cpus=float("nan")), line("cpus", "is a number (nan); it must be a number")),
    "pool too small": (
        bot(langgraph_postgres_pool_max_size=4),
        line("langgraph_postgres_pool_max_size", "4 is too small; it must be at least 5"),
    ),
    "list of numbers": (
        bot(extensions=["vector", 5]),
        line("extensions", "is a list with items that are not strings; it must be a list of strings"),
    ),
    "text for a list": (
        bot(extensions="vector"),
        line("extensions", "is a string (vector); it must be a list of strings"),
    ),
    "SQL for an extension": (
        bot(extensions=["vector; drop"]),
        line(
            "extensions",
            "'vector; drop' is not the name of an extension; write it as CREATE EXTENSION does",
        ),
    ),
    "line break in an option": (
        bot(langsmith_tenant_id="a\nb"),
        line("langsmith_tenant_id", "has a line break; write it on one line"),
    ),
    "line break in a list": (
        bot(cors_allow_origins=["https://a", "x\ny"]),
        line("cors_allow_origins", "has a line break; write it on one line"),
    ),
    "NUL in an option": (
        bot(langsmith_tenant_id="a\0b"),
        line("langsmith_tenant_id", "has a line break; write it on one line"),
    ),
    "mapping that JSON cannot hold": (
        bot(langgraph_thread_ttl={5: "a", "b": object()}),
        line(
            "langgraph_thread_ttl",
            "contains a value that JSON cannot represent; use strings as keys, and strings and numbers as values",
        ),
    ),
    "prefix with a pattern": (
        bot(redis_key_prefix="bot*"),
        line(
            "redis_key_prefix",
            "'bot*' has a character that is special in a Redis pattern; use letters, digits, ':', '-', '_' and '.', "
            "or leave it out",
        ),
    ),
    "env is a list": (bot(env=["A=1"]), line("env", "is a list; it must be a mapping")),
    "env is text": (bot(env="A=1"), line("env", "is a string; it must be a mapping")),
    "newline in a variable": (
        bot(env={"CERT": "a\nb"}),
        line(
            "env.CERT",
            "has a line break; the engine's environment file cannot contain one: encode it, for example as base64",
        ),
    ),
    "REDIS_URI in env": (
        bot(env={"REDIS_URI": "redis://mine"}),
        line(
            "env.REDIS_URI",
            "is set by the collection; remove it: the collection claims the Redis database and sets it",
        ),
    ),
    "option's variable in env": (
        bot(env={"LOG_LEVEL": "INFO"}),
        line("env.LOG_LEVEL", "is set by the collection; use the option 'log_level'"),
    ),
    "null in env": (bot(env={"A": None}), line("env.A", "has no value; set a value, or remove it")),
    "list in env": (bot(env={"A": [1]}), line("env.A", "is a list; write it as a string")),
    "mapping in env": (bot(env={"A": {"b": 1}}), line("env.A", "is a mapping; write it as a string")),
    "number as a variable's name": (
        bot(env={5: "x"}),
        line("env.5", "is not the name of a variable; use letters, digits and underscores"),
    ),
    "assignment as a variable's name": (
        bot(env={"API_KEY=sk-1": None}),
        line("env.API_KEY", "is not the name of a variable; use letters, digits and underscores"),
    ),
    "value longer than a line may be": (
        bot(env={"BLOB": "x" * 65531}),
        line("env.BLOB", "is too long; the engine's environment file allows lines of up to 65535 bytes"),
    ),
}


@pytest.mark.parametrize(("entry", "expected"), ONE_DEPLOYMENT.values(), ids=ONE_DEPLOYMENT)
def test_one_deployment(entry: dict[str, t.Any], expected: list[str]) -> None:
    assert lines(entry) == expected


LISTS: dict[str, tuple[tuple[t.Any, ...], dict[str, t.Any], list[str]]] = {
    "empty list": (
        (),
        {},
        line(
            "langgraph_deployments",
            "the list is empty; add a deployment, or remove this host from the group langgraph_hosts",
            "-",
        ),
    ),
    "null in the list": (
        (None, BOT),
        {},
        line(
            "-",
            "is not a mapping; write '- name: ...' with image and port below it, and check colons and indentation",
            "entry 1",
        ),
    ),
    "text in the list": (
        (BOT, "LANGSMITH_API_KEY=lsv2"),
        {},
        line(
            "-",
            "is not a mapping; write '- name: ...' with image and port below it, and check colons and indentation",
            "entry 2",
        ),
    ),
    "duplicate name": (
        (BOT, {**OTHER, "name": "support-bot"}),
        {},
        line("name", "is the name of two deployments; give each deployment a unique name"),
    ),
    "two deployments on one port": (
        (BOT, {**OTHER, "port": "8123"}),
        {},
        line(
            "port",
            "port 8123 is also used by 'support-bot'; give each deployment its own port, or give every deployment on it a hostname or a "
            "mount_prefix",
            "research",
        ),
    ),
    "one of two on a port can be distinguished": (
        (BOT, {**OTHER, "port": 8123, "hostname": "research.example.com"}),
        {},
        line(
            "port",
            "port 8123 is also used by 'support-bot'; give each deployment its own port, or give every deployment on it a hostname or a "
            "mount_prefix",
            "research",
        ),
    ),
    "two on a port cannot be distinguished": (
        (
            bot(hostname="a.example", mount_prefix="/a"),
            {**OTHER, "port": 8123} | {"hostname": "A.example"} | {"mount_prefix": "/a"},
        ),
        {},
        line(
            "port",
            "port 8123 with the same hostname and mount_prefix is also used by 'support-bot'; change "
            "the port, hostname or mount_prefix of one of them",
            "research",
        ),
    ),
    "the third on a port is the second once more": (
        (
            bot(mount_prefix="/a"),
            {**OTHER, "port": 8123, "mount_prefix": "/b"},
            {**OTHER, "name": "third", "port": 8123, "mount_prefix": "/b"},
        ),
        {},
        line(
            "port",
            "port 8123 with the same hostname and mount_prefix is also used by 'research'; change the "
            "port, hostname or mount_prefix of one of them",
            "third",
        ),
    ),
    "a port with TLS for one of two": (
        (bot(mount_prefix="/a", tls=True), {**OTHER, "port": 8123, "mount_prefix": "/b"}),
        {},
        line(
            "port",
            "port 8123 has a different bind_address or tls for 'support-bot'; give both the same bind_address and tls, or one of them another port",
            "research",
        ),
    ),
    "a port on two addresses": (
        (bot(mount_prefix="/a", bind_address="0.0.0.0"), {**OTHER, "port": 8123, "mount_prefix": "/b"}),
        {},
        line(
            "port",
            "port 8123 has a different bind_address or tls for 'support-bot'; give both the same bind_address and tls, or one of them another port",
            "research",
        ),
    ),
    "a shared port without a proxy": (
        (bot(mount_prefix="/a"), {**OTHER, "port": 8123, "mount_prefix": "/b"}),
        {"proxy": "none"},
        line("port", "port 8123 is also used by 'support-bot'; give each deployment its own port", "research"),
    ),
    "a host name and TLS without a proxy": (
        (bot(hostname="a.example", tls=True),),
        {"proxy": "none"},
        [
            *line(
                "hostname", "needs the proxy, and langgraph_proxy is none; remove it, or set langgraph_proxy: haproxy"
            ),
            *line("tls", "needs the proxy, and langgraph_proxy is none; remove it, or set langgraph_proxy: haproxy"),
        ],
    ),
    "what it may reach without a proxy": (
        (bot(may_reach=["research"]), {**OTHER, "bind_address": "0.0.0.0"}),
        {"proxy": "none"},
        line("may_reach", "needs the proxy, and langgraph_proxy is none; remove it, or set langgraph_proxy: haproxy"),
    ),
    "it may reach itself": (
        (bot(may_reach=["support-bot"], bind_address="0.0.0.0"),),
        {},
        line("may_reach", "names the deployment itself; remove that name"),
    ),
    "it may reach nobody": (
        (bot(may_reach=["reserch"]), {**OTHER, "bind_address": "0.0.0.0"}),
        {},
        line(
            "may_reach",
            "'reserch' is not a deployment of this host; name a deployment in the list, or one that runs on the host",
        ),
    ),
    "it may reach an absent deployment": (
        (bot(may_reach=["research"]), {"name": "research", "state": "stopped"}),
        {"deployed": {"research": 8124}},
        line(
            "may_reach",
            "'research' is not a deployment of this host; name a deployment in the list, or one that runs on the host",
        ),
    ),
    "it may reach one that listens only on the loopback": (
        (bot(may_reach=["research"]), OTHER),
        {},
        line(
            "may_reach",
            "'research' listens only on a loopback address, which no container reaches; set its bind_address to 0.0.0.0 or to "
            "the gateway of the deployments' network",
        ),
    ),
    "port of the proxy that no deployment of ours has": (
        (BOT,),
        {"listening": {8123: "haproxy"}},
        line("port", "port 8123 of the host is taken by 'haproxy'; choose a free port"),
    ),
    "port of the proxy that an unlisted deployment has": (
        (BOT,),
        {"listening": {8123: "haproxy"}, "deployed": {"old-bot": 8123}},
        line(
            "port",
            "port 8123 of the host is taken by deployment 'old-bot', which is not in the list; choose a free port",
        ),
    ),
    "a state of earlier versions": (
        (BOT, {**OTHER, "state": "absent"}),
        {},
        line(
            "state",
            "'absent' is not accepted any longer, because it kept the data; write 'state: stopped', which also keeps the revisions;"
            " the playbook remove deletes a deployment with its data",
            "research",
        ),
    ),
    "two deployments with one number": (
        (bot(redis_db=3), {**OTHER, "redis_db": 3}),
        {},
        line(
            "redis_db",
            "database number 3 is also requested by 'support-bot'; remove the option, and the collection assigns a free one",
            "research",
        ),
    ),
    "two deployments with one prefix": (
        (BOT, {**OTHER, "redis_key_prefix": "support-bot:"}),
        {},
        line(
            "redis_key_prefix",
            "'support-bot' has the same prefix 'support-bot:', and each would receive the other's events, even with different database numbers; "
            "remove the option, and each deployment has its own",
            "research",
        ),
    ),
    "port taken by another program": (
        (BOT,),
        {"listening": {8123: "nginx"}},
        line("port", "port 8123 of the host is taken by 'nginx'; choose a free port"),
    ),
    "port taken by another program while the deployment is down": (
        (BOT,),
        {"listening": {8123: "nginx"}, "deployed": {"support-bot": 8123}},
        line("port", "port 8123 of the host is taken by 'nginx'; choose a free port"),
    ),
    "port taken by a container of somebody else": (
        (BOT,),
        {"listening": {8123: "docker-proxy"}},
        line("port", "port 8123 of the host is taken by 'docker-proxy'; choose a free port"),
    ),
    "port taken by a deployment that is not in the list": (
        (BOT,),
        {"listening": {8123: "docker-proxy"}, "deployed": {"old-bot": 8123}},
        line(
            "port",
            "port 8123 of the host is taken by deployment 'old-bot', which is not in the list; choose a free port",
        ),
    ),
    "port taken by two deployments, of which one is not in the list": (
        (BOT, {**OTHER, "hostname": "research.example.org"}),
        {"listening": {8123: "haproxy"}, "deployed": {"research": 8123, "old-bot": 8123}},
        line(
            "port",
            "port 8123 of the host is taken by deployment 'old-bot', which is not in the list; choose a free port",
        ),
    ),
    "image missing on the host": (
        (BOT,),
        {"images": {"research:1"}},
        line(
            "image",
            "the host has no image 'support-bot:1'; load it there, list its archive in image_archives or its directory in "
            "image_builds, or set image_pull: always",
        ),
    ),
    "bad image is reported once": (
        (bot(image="my bot"),),
        {"images": set()},
        line("image", "is not an image reference; write NAME:TAG or NAME@DIGEST, the name in lower case"),
    ),
    "pools that cannot fit": (
        (BOT, {**OTHER, "langgraph_postgres_pool_max_size": 100}),
        {"max_connections": 100},
        line(
            "langgraph_postgres_pool_max_size",
            "all deployments (2) need 432 connections, and max_connections leaves 87; lower the pools (this is the "
            "largest), langgraph_max_running_revisions or langgraph_max_extra_revisions, or raise max_connections to 445",
            "research",
        ),
    ),
    "pools that miss by one": (
        (BOT,),
        {"max_connections": 3 * 32 + 13 - 1},
        line(
            "langgraph_postgres_pool_max_size",
            "all deployments (1) need 96 connections, and max_connections leaves 95; lower the pools (this is the "
            "largest), langgraph_max_running_revisions or langgraph_max_extra_revisions, or raise max_connections to 109",
        ),
    ),
    "one revision too many": (
        (BOT,),
        {"max_connections": 3 * 32 + 13, "running_revisions": 4},
        line(
            "langgraph_postgres_pool_max_size",
            "all deployments (1) need 128 connections, and max_connections leaves 96; lower the pools (this is the "
            "largest), langgraph_max_running_revisions or langgraph_max_extra_revisions, or raise max_connections to 141",
        ),
    ),
    "more deployments than Redis numbers": (
        (BOT, OTHER),
        {"redis_databases": 2},
        line(
            "redis_db",
            "the list has 2 deployments, and Redis has 1 database numbers besides the reserved 0; set redis_databases to 3 or more",
            "research",
        ),
    ),
    "no Redis number at all": (
        (BOT,),
        {"redis_databases": 1},
        line(
            "redis_db",
            "the list has 1 deployments, and Redis has 0 database numbers besides the reserved 0; set redis_databases to 2 or more",
        ),
    ),
    "number beyond the server's": (
        (bot(redis_db=16),),
        {"redis_databases": 16},
        line("redis_db", "16 is out of range; choose 1 to 15, or raise redis_databases"),
    ),
    "env_file missing": (
        (bot(env_file="bot.env", langsmith_api_key=...),),
        {"env_files": {"bot.env": None}},
        line("env_file", "there is no file 'bot.env'; set the path of a UTF-8 file on the control node"),
    ),
    "env_file in the inventory": (
        (bot(env_file="inventory/bot.env", langsmith_api_key=...),),
        {"env_files": {"inventory/bot.env": "LANGSMITH_API_KEY=x\n"}, "inventory_files": {"inventory/bot.env"}},
        line(
            "env_file",
            "'inventory/bot.env' is in the directory of the inventory, where Ansible reads each of its lines as a host; move it to the "
            "directory above, and write '../bot.env'",
        ),
    ),
    "env_file malformed": (
        (bot(env_file="bot.env"),),
        {"env_files": {"bot.env": "A=1\nsk-secret\n"}},
        line("env_file", "bot.env: line 2 is not NAME=value; write one NAME=value per line"),
    ),
    "env_file sets what the collection sets": (
        (bot(env_file="bot.env"),),
        {"env_files": {"bot.env": "DATABASE_URI=postgres://x\n"}},
        line(
            "env_file",
            "bot.env sets DATABASE_URI; remove that line, as the collection claims the Postgres database and sets it",
        ),
    ),
    "env_file with an invalid number": (
        (bot(env_file="bot.env"),),
        {"env_files": {"bot.env": "N_JOBS_PER_WORKER=many\n"}},
        line("n_jobs_per_worker", "is a string (many); it must be a whole number"),
    ),
    "address of the role": (
        (BOT,),
        {"bind_address": "everywhere"},
        line("langgraph_bind_address", "'everywhere' is not an IP address; set an address of the host", "-"),
    ),
}


@pytest.mark.parametrize(("entries", "around", "expected"), LISTS.values(), ids=LISTS)
def test_list(entries: tuple[t.Any, ...], around: dict[str, t.Any], expected: list[str]) -> None:
    assert lines(*entries, **around) == expected


def test_all_problems_are_reported_at_once() -> None:
    found = lines(bot(port=True, prot=1), {**OTHER, "name": "Bad", "env": {"A": None}}, None)
    assert [text.split(":")[0] for text in found] == [
        "deployment 'support-bot', option 'prot'",
        "deployment 'support-bot', option 'port'",
        "deployment 'Bad', option 'name'",
        "deployment 'Bad', option 'env.A'",
        "deployment 'entry 3', option '-'",
    ]


def test_a_missing_env_file_hides_no_other_problem() -> None:
    found = lines(bot(env_file="x", langsmith_api_key=..., prot=1, log_level="LOUD"), env_files={"x": None})
    assert [text.split("'")[3] for text in found] == ["env_file", "prot", "log_level"]


FIXED_CHANNELS = {"redis_key_patterns": ["lg:*"], "redis_shared_channels": True}
ALLOWED: dict[str, tuple[tuple[t.Any, ...], dict[str, t.Any]]] = {
    "numbers as text, as templates give them": ((bot(port="8123", cpus="1.5", read_only="yes"),), {}),
    "null is not given": ((bot(memory=None, env=None, extensions=None, cpus=None),), {}),
    "own port is ours": ((BOT,), {"listening": {8123: "docker-proxy"}, "deployed": {"support-bot": 8123}}),
    "ports exchanged": (
        (bot(port=8124), {**OTHER, "port": 8123}),
        {
            "listening": {8123: "docker-proxy", 8124: "docker-proxy"},
            "deployed": {"support-bot": 8123, "research": 8124},
        },
    ),
    "port of an absent deployment": (
        (BOT, {"name": "research", "state": "stopped"}),
        {"listening": {8123: "docker-proxy"}, "deployed": {"research": 8123}},
    ),
    "it may reach another one": ((bot(may_reach=["research"]), {**OTHER, "bind_address": "172.29.0.1"}), {}),
    "all of them are public": ((bot(may_reach=["research"]), OTHER), {"bind_address": "0.0.0.0"}),
    "it may reach one that is not listed": ((bot(may_reach=["old-bot"]),), {"deployed": {"old-bot": 8125}}),
    "gone ones need their name alone": (({"name": "research", "state": "stopped"},), {"images": set()}),
    "gone ones keep no port": ((BOT, {**OTHER, "port": 8123, "state": "stopped"}), {}),
    "longest name": ((bot(name="a" * 63),), {}),
    "image known under its long name": ((bot(image="docker.io/library/bot:1"),), {"images": {"bot:1"}}),
    "image without a tag": ((bot(image="bot"),), {"images": {"bot:latest"}}),
    "as many as fit": ((BOT, OTHER), {"redis_databases": 3, "max_connections": 2 * 3 * 32 + 13}),
    "one revision at a time": ((BOT, OTHER), {"max_connections": 2 * 32 + 13, "running_revisions": 1}),
    "one port, two host names": (
        (bot(hostname="a.example.com"), {**OTHER, "port": 8123, "hostname": "b.example.com"}),
        {},
    ),
    "one port, two prefixes": ((bot(mount_prefix="/a"), {**OTHER, "port": 8123, "mount_prefix": "/b"}), {}),
    "one port, a host name and a prefix": (
        (bot(hostname="a.example.com"), {**OTHER, "port": 8123, "mount_prefix": "/b"}),
        {},
    ),
    "one port with TLS": (
        (bot(mount_prefix="/a", tls=True), {**OTHER, "port": 8123, "mount_prefix": "/b", "tls": True}),
        {},
    ),
    "one prefix on two ports": ((bot(mount_prefix="/a"), {**OTHER, "mount_prefix": "/a"}), {}),
    "a prefix without a proxy": ((bot(mount_prefix="/a"),), {"proxy": "none"}),
    "own port behind the proxy": ((BOT,), {"listening": {8123: "haproxy"}, "deployed": {"support-bot": 8123}}),
    "port shared with an unlisted deployment": (
        (bot(hostname="a.example.com"),),
        {"listening": {8123: "haproxy"}, "deployed": {"old-bot": 8123}},
    ),
    "port shared by two that are there": (
        (bot(mount_prefix="/a"), {**OTHER, "port": 8123, "mount_prefix": "/b"}),
        {"listening": {8123: "haproxy"}, "deployed": {"support-bot": 8123, "research": 8123}},
    ),
    "key for tracing in addition to a licence": ((bot(edition="enterprise", langgraph_cloud_license_key="x"),), {}),
    "image without a licence": ((bot(edition="none", langsmith_api_key=...),), {}),
    "longest value": ((bot(env={"BLOB": "x" * 65530}),), {}),
    "empty value": ((bot(env={"EMPTY": ""}),), {}),
    "same key patterns, other channels": (
        (
            bot(redis_key_patterns=["lg:*"], redis_channel_patterns=["a:*"]),
            {**OTHER, "redis_key_patterns": ["lg:*"], "redis_channel_patterns": ["b:*"]},
        ),
        {},
    ),
    "same channels, by consent": ((bot(**FIXED_CHANNELS), {**OTHER, **FIXED_CHANNELS}), {}),
    "same channels as an absent deployment": (
        (bot(redis_key_patterns=["lg:*"]), {**OTHER, "redis_key_patterns": ["lg:*"], "state": "stopped"}),
        {},
    ),
}


@pytest.mark.parametrize(("entries", "around"), ALLOWED.values(), ids=ALLOWED)
def test_allowed(entries: tuple[t.Any, ...], around: dict[str, t.Any]) -> None:
    assert lines(*entries, **around) == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"redis_key_patterns": ["lg:*"]}, {"redis_key_patterns": ["lg:*"]}),
        ({"redis_channel_patterns": ["lg:run-fanout:*"]}, {"redis_channel_patterns": ["x", "lg:*"]}),
        ({"redis_channel_patterns": ["lg:*"], "redis_shared_channels": True}, {"redis_channel_patterns": ["lg:*"]}),
        ({"redis_key_prefix": "team:"}, {"redis_key_prefix": "team:b:"}),
        ({"redis_channel_patterns": ["*:events"]}, {}),
    ],
)
def test_overlapping_channels(one: dict[str, t.Any], other: dict[str, t.Any]) -> None:
    """Redis pub/sub is not separated by database number, so only patterns separate deployments."""
    found = lines(bot(**one), {**OTHER, **other})
    assert [line.split(":")[0] for line in found] == [
        f"deployment '{name}', option 'redis_channel_patterns'" for name in ("support-bot", OTHER["name"])
    ]
    assert all("could read and forge" in line and "redis_shared_channels: true" in line for line in found)


def test_shared_channels_are_warned_of() -> None:
    found = complete(bot(**FIXED_CHANNELS), {**OTHER, **FIXED_CHANNELS})
    assert [line for line in channel_warnings(found) if f"{OTHER['name']}, support-bot" in line]
    assert channel_warnings(complete(bot(), OTHER)) == []


def test_complete_deployment() -> None:
    (found,) = complete(bot(env={"MODEL": "gpt", "TOP_K": 5, "FAST": True}, cors_allow_origins=["https://a", "b"]))
    variables = {
        "LANGSMITH_API_KEY": "lsv2_pt_one",
        "LANGGRAPH_POSTGRES_POOL_MAX_SIZE": "20",
        "BG_JOB_SHUTDOWN_GRACE_PERIOD_SECS": "180",
        "REDIS_KEY_PREFIX": "support-bot:",
        "CORS_ALLOW_ORIGINS": "https://a,b",
        "MODEL": "gpt",
        "TOP_K": "5",
        "FAST": "true",
    }
    assert found["rollout"]["environment"] == variables
    assert (found["database"], found["postgres"]["connection_limit"]) == ("support_bot", 96)
    assert found["rollout"]["drain_seconds"] == 180
    assert found["redis"]["key_patterns"] == found["redis"]["channel_patterns"] == ["support-bot:*"]
    assert found["health"]["url"] == "http://127.0.0.1:8123"
    assert len({found["redis"]["password"], found["postgres"]["password"], KEY}) == 3


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("0.0.0.0", "http://127.0.0.1:8123"),
        ("::", "http://[::1]:8123"),
        ("10.1.2.3", "http://10.1.2.3:8123"),
        ("fd00::5", "http://[fd00::5]:8123"),
    ],
)
def test_url_of_an_address(address: str, url: str) -> None:
    assert complete(BOT, bind_address=address)[0]["health"]["url"] == url
    assert complete(bot(bind_address=address))[0]["health"]["url"] == url


def test_bind_address_of_a_deployment() -> None:
    (found,) = complete(bot(hostname="support.example.com", mount_prefix="/a/b", tls=True))
    assert tuple(found["rollout"][key] for key in ("hostname", "prefix", "tls")) == (
        "support.example.com",
        "/a/b",
        True,
    )
    assert found["health"]["url"] == "https://127.0.0.1:8123/a/b"
    assert found["rollout"]["environment"]["MOUNT_PREFIX"] == "/a/b"
    (plain,) = complete(BOT)
    assert tuple(plain["rollout"][key] for key in ("hostname", "prefix", "tls")) == (None, None, False)


@pytest.mark.parametrize(("proxy", "url"), [("haproxy", "http://127.0.0.1:8123/a"), ("none", "http://127.0.0.1:8123")])
def test_url_of_a_prefix(proxy: str, url: str) -> None:
    """The proxy serves /ok under the prefix; the server serves it at its root."""
    (found,) = complete(bot(mount_prefix="/a"), proxy=proxy)
    assert (found["health"]["url"], found["rollout"]["prefix"], found["rollout"]["environment"]["MOUNT_PREFIX"]) == (
        url,
        "/a",
        "/a",
    )


def test_the_limit_of_a_role_includes_all_running_revisions() -> None:
    assert complete(BOT, running_revisions=2)[0]["postgres"]["connection_limit"] == 2 * 32
    # Including those on other hosts.
    assert complete(BOT, connections={"support-bot": 200})[0]["postgres"]["connection_limit"] == 200


def test_a_drain_time_of_zero_is_kept() -> None:
    assert complete(bot(bg_job_shutdown_grace_period_secs=0))[0]["rollout"]["drain_seconds"] == 0


def test_env_file_is_merged() -> None:
    text = (
        "LANGSMITH_API_KEY=from-file\nMODEL=file\nTEMPERATURE=0.1\nLOG_JSON=1\nCORS_ALLOW_ORIGINS=https://a, b\n"
        'LANGSMITH_RUNS_ENDPOINTS={"https://a": "key"}\nN_JOBS_PER_WORKER=3\n'
    )
    entry = bot(langsmith_api_key=..., env_file="x", env={"MODEL": "env"}, n_jobs_per_worker=7)
    variables = complete(entry, env_files={"x": text})[0]["rollout"]["environment"]
    assert {key: variables[key] for key in variables if not key.startswith(("REDIS", "BG_", "LANGGRAPH_"))} == {
        "LANGSMITH_API_KEY": "from-file",
        "MODEL": "env",
        "TEMPERATURE": "0.1",
        "LOG_JSON": "true",
        "CORS_ALLOW_ORIGINS": "https://a,b",
        "LANGSMITH_RUNS_ENDPOINTS": '{"https://a":"key"}',
        "N_JOBS_PER_WORKER": "7",
    }


IMAGE_ENV = {
    "MODEL": "image",
    "TEMPERATURE": "image",
    "TOP_K": "image",
    "LOG_LEVEL": "DEBUG",
    "N_JOBS_PER_WORKER": "3",
    "CORS_ALLOW_ORIGINS": "https://a, b",
    # A developer's own servers: the collection computes these variables.
    "REDIS_URI": "redis://localhost",
    "DATABASE_URI": "postgres://localhost",
}


def own(variables: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name in {*IMAGE_ENV, "FILE", "LOG_JSON"}}


def test_the_env_of_an_image_is_merged() -> None:
    (found,) = complete(BOT, image_envs={"support-bot:1": IMAGE_ENV})
    assert own(found["rollout"]["environment"]) == {
        "MODEL": "image",
        "TEMPERATURE": "image",
        "TOP_K": "image",
        "LOG_LEVEL": "DEBUG",
        "N_JOBS_PER_WORKER": "3",
        "CORS_ALLOW_ORIGINS": "https://a,b",
    }


def test_a_deployment_overrides_its_file_and_that_overrides_the_image() -> None:
    entry = bot(env_file="x", env={"MODEL": "env"}, n_jobs_per_worker=7)
    text = "MODEL=file\nTEMPERATURE=file\nLOG_LEVEL=ERROR\nN_JOBS_PER_WORKER=5\nFILE=file\n"
    (found,) = complete(entry, env_files={"x": text}, image_envs={"support-bot:1": IMAGE_ENV})
    assert own(found["rollout"]["environment"]) == {
        "MODEL": "env",
        "TEMPERATURE": "file",
        "TOP_K": "image",
        "FILE": "file",
        "LOG_LEVEL": "ERROR",
        "N_JOBS_PER_WORKER": "7",
        "CORS_ALLOW_ORIGINS": "https://a,b",
    }


@pytest.mark.parametrize("image", ["support-bot:1", "docker.io/library/support-bot:1"])
def test_the_env_of_an_image_is_found_in_any_spelling(image: str) -> None:
    (found,) = complete(bot(image=image), image_envs={"support-bot:1": {"MODEL": "image"}})
    assert found["rollout"]["environment"]["MODEL"] == "image"


def test_only_deployments_with_that_image_get_its_env() -> None:
    found = complete(BOT, OTHER, {"name": "gone", "state": "stopped"}, image_envs={"support-bot:1": {"MODEL": "image"}})
    assert ["MODEL" in item["rollout"]["environment"] for item in found] == [True, False, False]


def test_a_credential_may_come_from_the_image() -> None:
    (found,) = complete(bot(langsmith_api_key=...), image_envs={"support-bot:1": {"LANGSMITH_API_KEY": "lsv2"}})
    assert found["rollout"]["environment"]["LANGSMITH_API_KEY"] == "lsv2"


@pytest.mark.parametrize("image", [None, 5, [], "", ...])
def test_an_invalid_image_has_no_env(image: t.Any) -> None:
    found = lines(bot(image=image), image_envs={"support-bot:1": {"MODEL": "image"}})
    assert [text.split("'")[3] for text in found] == ["image"]


def test_problems_in_the_env_of_an_image_are_reported() -> None:
    found = lines(BOT, image_envs={"support-bot:1": {"N_JOBS_PER_WORKER": "many", "A": "s3cr3t-Value-91\nx"}})
    assert [text.partition(";")[0] for text in found] == [
        "deployment 'support-bot', option 'n_jobs_per_worker': is a string (many)",
        "deployment 'support-bot', option 'env.A': has a line break",
    ]


AES = "0123456789abcdef"


@pytest.mark.parametrize(
    ("serving", "wanted", "more", "refused"),
    [
        (AES, AES, {}, None),
        (None, AES, {}, None),
        (None, None, {}, None),
        (AES, AES[::-1], {}, "it differs from the key in use"),
        (AES, None, {}, "it is missing, so data encrypted"),
        (AES, AES[::-1], {"accept_new_aes_key": True}, None),
        (AES, None, {"accept_new_aes_key": True}, None),
        (AES, AES[::-1], {"state": "stopped"}, None),
    ],
)
def test_another_aes_key_is_refused(
    serving: str | None, wanted: str | None, more: dict[str, t.Any], refused: str | None
) -> None:
    entry = bot(langgraph_aes_key=wanted, **more)
    keys = {entry["name"]: aes_fingerprint(serving)}
    problems = check_deployments([entry], CheckContext("k" * 32, aes_keys=keys))[1]
    if refused is None:
        assert problems == []
    else:
        assert [(problem.option, refused in problem.finding) for problem in problems] == [("langgraph_aes_key", True)]
        assert AES not in str(problems[0])


def test_generation_changes_both_passwords_and_nothing_else() -> None:
    first, second = complete(BOT)[0], complete(bot(password_generation=2))[0]
    changed = {
        f"{part}.{key}"
        for part in ("redis", "postgres", "rollout")
        for key in first[part]
        if first[part][key] != second[part][key]
    }
    assert changed == {"redis.password", "postgres.password", "rollout.redis_password", "rollout.postgres_password"}
    assert [key for key in first if first[key] != second[key]] == ["redis", "postgres", "rollout"]


NAMES = st.from_regex(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)


@given(NAMES, NAMES)
def test_two_names_never_share_a_database(one: str, other: str) -> None:
    assert (identifier(one) == identifier(other)) == (one == other)


SECRET = "s3cr3t-Value-91"  # planted, and looked for
WRONG: list[t.Any] = [
    SECRET,
    f"{SECRET}\n{SECRET}",
    f" {SECRET}",
    [SECRET],
    {SECRET: SECRET},
    {"a": {5: SECRET}},
    {"A": SECRET, "B": f"{SECRET}\n"},
    {"REDIS_URI": SECRET},
    {"LOG_LEVEL": SECRET},
    {"A": [SECRET]},
    {f"A={SECRET}": None},
    {f"A: {SECRET}": SECRET},
]


@given(st.sampled_from(sorted(SECRET_OPTIONS)), st.sampled_from(WRONG), st.sampled_from([{}, {"edition": "lite"}]))
def test_no_secret_in_a_problem(option: str, value: t.Any, more: dict[str, t.Any]) -> None:
    if option == "env" and isinstance(value, dict) and SECRET in value:
        return  # the name of a variable is no secret
    found = lines(bot(**{option: value, **more}), {**OTHER, "port": 8123, option: value}, redis_databases=1)
    assert found
    assert SECRET not in "\n".join(found)


@pytest.mark.parametrize("value", [{"langsmith_api_key": SECRET}, [SECRET], {SECRET}], ids=str)
def test_a_secret_in_place_of_the_name_is_not_repeated(value: t.Any) -> None:
    assert SECRET not in "\n".join(lines(bot(name=value, port=None)))


@given(st.text(min_size=1).filter(lambda text: text.strip()))
def test_no_line_of_an_env_file_is_repeated(text: str) -> None:
    found = lines(bot(env_file="x"), env_files={"x": f"{SECRET} {text}\n"})
    assert SECRET not in "\n".join(found)


ANYTHING: st.SearchStrategy[t.Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@given(st.lists(st.dictionaries(st.sampled_from(sorted(OPTIONS)) | st.text(), ANYTHING) | ANYTHING, max_size=3))
def test_any_input_results_in_problems_of_one_line(entries: list[t.Any]) -> None:
    deployments, problems = check_deployments(entries, CheckContext(KEY, redis_databases=2, max_connections=99))
    assert bool(deployments) != bool(problems)
    assert all(str(problem).isprintable() for problem in problems)


@given(st.dictionaries(st.sampled_from(sorted(OPTIONS)), ANYTHING))
def test_valid_input_can_be_rendered(options: dict[str, t.Any]) -> None:
    deployments, _problems = check_deployments([bot(**options)], CheckContext(KEY))
    for deployment in deployments:
        assert all(
            isinstance(value, str) and "\n" not in value for value in deployment["rollout"]["environment"].values()
        )
