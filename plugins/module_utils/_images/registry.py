# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Query registries through the host's engine: digests of tags, architectures and sizes. Nothing is pulled."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import tempfile
import typing as t

from ansible_collections.selfhost.langgraph.plugins.module_utils._common.command import run
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.image_reference import (
    registry_of,
    repository_of,
)
from ansible_collections.selfhost.langgraph.plugins.module_utils._common.problems import Problem, printable
from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine

# The name of the default registry in the engine's file of logins.
HUB = "https://index.docker.io/v1/"
HUB_NAME = "docker.io"
_NO_SUCH_IMAGE = "the registry has no such image"
# Parts of the engine's error (case-insensitive), finding and remedy; the first match counts. Seen with engines 20.10 and 26.1.
_CAUSES: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        (
            "certificate signed by unknown authority",
            "certificate is not trusted",
            "x509: cannot validate",
            "x509: certificate",
        ),
        "the certificate of the registry is not trusted",
        "set its CA as ca_certificate in image_registries",
    ),
    (
        ("server gave http response to https client", "does not look like a tls handshake"),
        "the registry does not use TLS",
        "configure a certificate for it, or list it in docker_insecure_registries",
    ),
    (
        (
            "connection refused",
            "no such host",
            "no route to host",
            "i/o timeout",
            "client.timeout",
            "network is unreachable",
            "context deadline exceeded",
            "server misbehaving",
            "timed out",
        ),
        "the registry cannot be reached from the host",
        "check its name and port; image_pull: missing continues with the images that the hosts have",
    ),
    (
        ("manifest unknown", "manifest for", "name unknown", "not found"),
        _NO_SUCH_IMAGE,
        "check name and tag, or push it first",
    ),
    (
        ("unauthorized", "denied", "no basic auth", "authentication required", "forbidden", "http 401", "http 403"),
        "the registry refuses the login",
        "set username and password, or a credential_helper, in image_registries",
    ),
)


class CredentialError(RuntimeError):
    """A credential helper is missing or failed; the message names it and contains no secret."""


def explain(text: str) -> tuple[str, str]:
    """Return finding and remedy for an engine's or a client's error about a registry."""
    low = text.lower()
    for words, finding, remedy in _CAUSES:
        if any(word in low for word in words):
            return finding, remedy
    return f"the registry cannot be queried ({printable(text, longest=200)})", "check the engine's log on the host"


def login(image: str, registries: t.Sequence[t.Mapping[str, t.Any]]) -> dict[str, str] | None:
    """Return the login of an image's registry, from the list or its credential helper; None if none is needed.

    Raises CredentialError.
    """
    wanted = registry_of(image) or HUB_NAME
    entry = next((item for item in registries if item["registry"] == wanted), {})
    address = HUB if wanted == HUB_NAME else wanted
    if entry.get("credential_helper"):
        user, secret = _from_helper(entry["credential_helper"], address)
    elif entry.get("username"):
        user, secret = entry["username"], entry["password"] or ""
    else:
        return None
    return {"username": user, "password": secret, "serveraddress": address}


def _from_helper(helper: str, address: str) -> tuple[str, str]:
    """Run ``docker-credential-HELPER get`` (docs: docker login, credential helper protocol)."""
    program = f"docker-credential-{helper}"
    try:
        done = run([program, "get"], text=address, timeout=60)
    except FileNotFoundError:
        raise CredentialError(f"the host has no program '{program}'") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CredentialError(f"'{program}' does not answer: {error}") from error
    if done.returncode != 0:
        raise CredentialError(f"'{program}' has no login for it: {printable(done.stderr or done.stdout)}")
    try:
        answer = json.loads(done.stdout)
        return answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError):
        raise CredentialError(f"'{program}' returns no login") from None


def ask(
    client: docker_engine.Client,
    wanted: t.Sequence[t.Mapping[str, t.Any]],
    registries: t.Sequence[t.Mapping[str, t.Any]],
) -> tuple[dict[str, dict[str, t.Any]], list[Problem]]:
    """Query every wanted image (image, deployments, known, optional); return the registries' answers, by image.

    An answer has digest (NAME@sha256:…), architectures, and size: the bytes of a download without the layers of ``known``
    digests, None if the client cannot determine it. An ``optional`` image that its registry does not have has no answer.
    """
    answers: dict[str, dict[str, t.Any]] = {}
    problems: list[Problem] = []
    for item in wanted:
        image, label = item["image"], ", ".join(item["deployments"]) or "-"
        try:
            auth = login(image, registries)
            found = client.inspect_distribution(image, auth_config=auth)
        except CredentialError as error:
            remedy = "install it there, or set username and password in image_registries"
            problems.append(Problem(label, "image", f"{_shown(image)}: {error}", remedy))
            continue
        except (docker_engine.docker.errors.DockerException, OSError) as error:
            # The engine's message, without the address of its socket and the name of the image.
            finding, remedy = explain(str(getattr(error, "explanation", None) or error))
            if item["optional"] and finding == _NO_SUCH_IMAGE:
                continue
            problems.append(Problem(label, "image", f"{_shown(image)}: {finding}", remedy))
            continue
        digest = f"{repository_of(image)}@{found['Descriptor']['digest']}"
        platforms = found.get("Platforms") or ()
        names = [item.get("architecture", "") for item in platforms if item.get("os") in ("linux", "", None)]
        size = 0 if digest in item["known"] else _size(digest, item["known"], auth)
        answers[image] = {"digest": digest, "architectures": sorted({name for name in names if name}), "size": size}
    return answers, problems


def _shown(image: str) -> str:
    """Return an image with its registry, which the name of an image at Docker Hub does not have."""
    return f"'{image}'" if registry_of(image) else f"'{image}' at {HUB_NAME}"


def _size(digest: str, known: t.Sequence[str], auth: t.Mapping[str, str] | None) -> int | None:
    """Return the bytes of a download without the layers of ``known`` digests; None if the client cannot determine it."""
    # In memory if the module can write there; on a control node it may not run as root.
    memory = "/run" if os.access("/run", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory, prefix="langgraph-registry-") as directory:
        if auth is not None:
            _write_login(directory, auth)
        wanted = _layers(digest, directory)
        if wanted is None:
            return None
        there: set[str] = set()
        for name in known:
            there |= (_layers(name, directory) or {}).keys()
        return sum(size for layer, size in wanted.items() if layer not in there)


def _layers(digest: str, login_directory: str) -> dict[str, int] | None:
    """Return digests and bytes of the parts of an image's download, from its manifest."""
    command = ["docker", "manifest", "inspect", digest]
    try:
        done = run(command, environment={"DOCKER_CONFIG": login_directory}, timeout=30)
        manifest = json.loads(done.stdout)
        return {layer["digest"]: layer["size"] for layer in (manifest["config"], *manifest["layers"])}
    except (OSError, ValueError, KeyError, TypeError, subprocess.SubprocessError):
        return None


def _write_login(directory: str, auth: t.Mapping[str, str]) -> None:
    token = base64.b64encode(f"{auth['username']}:{auth['password']}".encode()).decode()
    path = os.path.join(directory, "config.json")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        json.dump({"auths": {auth["serveraddress"]: {"auth": token}}}, file)
