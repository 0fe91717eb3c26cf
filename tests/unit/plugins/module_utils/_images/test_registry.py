# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What registries say and refuse, by way of the engine, and where a login comes from."""

from __future__ import annotations

import base64
import json
import os
import stat
import typing as t
from pathlib import Path

import pytest

from ansible_collections.selfhost.langgraph.plugins.module_utils._host import docker_engine
from ansible_collections.selfhost.langgraph.plugins.module_utils._images import registry
from ansible_collections.selfhost.langgraph.plugins.module_utils._images.registry import (
    HUB,
    CredentialError,
    ask,
    explain,
    login,
)

SECRET = "s3cr3t-Value-91"
UNTRUSTED = (
    "the certificate of the registry is not trusted",
    "set its CA as ca_certificate in image_registries",
)
NO_TLS = ("the registry does not use TLS", "configure a certificate for it, or list it in docker_insecure_registries")
UNREACHABLE = (
    "the registry cannot be reached from the host",
    "check its name and port; image_pull: missing continues with the images that the hosts have",
)
NO_IMAGE = ("the registry has no such image", "check name and tag, or push it first")
REFUSED = (
    "the registry refuses the login",
    "set username and password, or a credential_helper, in image_registries",
)
# What engine 20.10 said, asked for an image of registries that were made so; and what 26.1 says in other words.
TEXTS: dict[str, tuple[str, str]] = {
    'Get "https://192.0.2.2:43087/v2/": x509: certificate is valid for 127.0.0.1, not 192.0.2.2': UNTRUSTED,
    'Get "https://10.255.255.1:5000/v2/": x509: cannot validate certificate for 10.255.255.1 because it '
    "doesn't contain any IP SANs": UNTRUSTED,
    'Get "https://registry:5000/v2/": x509: certificate signed by unknown authority': UNTRUSTED,
    'Get "https://registry:5000/v2/": tls: failed to verify certificate: x509: certificate signed by unknown '
    "authority": UNTRUSTED,
    'Get "https://registry:5000/v2/": tls: failed to verify certificate: x509: certificate has expired or is not yet '
    "valid: current time 2026-11-25T18:33:49Z is after 2026-11-24T18:33:49Z": UNTRUSTED,
    'Get "https://192.0.2.2:33833/v2/": tls: first record does not look like a TLS handshake': NO_TLS,
    'Get "https://registry:5000/v2/": http: server gave HTTP response to HTTPS client': NO_TLS,
    'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused': UNREACHABLE,
    'Get "https://no-such.invalid:5000/v2/": dial tcp: lookup no-such.invalid on 10.255.255.53:53: no such '
    "host": UNREACHABLE,
    'Get "https://registry:5000/v2/": dial tcp: lookup registry on 127.0.0.53:53: server misbehaving': UNREACHABLE,
    'Get "https://registry:5000/v2/": dial tcp 10.0.0.9:5000: connect: no route to host': UNREACHABLE,
    'Get "https://registry:5000/v2/": dial tcp 10.0.0.9:5000: i/o timeout': UNREACHABLE,
    'Get "https://registry:5000/v2/": net/http: request canceled while waiting for connection (Client.Timeout exceeded '
    "while awaiting headers)": UNREACHABLE,
    'Get "https://registry:5000/v2/": context deadline exceeded': UNREACHABLE,
    "UnixHTTPConnectionPool(host='localhost', port=None): Read timed out. (read timeout=60)": UNREACHABLE,
    "manifest unknown: manifest unknown": NO_IMAGE,
    "name unknown: repository name not known to registry": NO_IMAGE,
    "errors:\nmanifest unknown: manifest unknown\n": NO_IMAGE,
    "unauthorized": REFUSED,
    "unauthorized: authentication required": REFUSED,
    'Get "https://registry:5000/v2/bot/manifests/1": no basic auth credentials': REFUSED,
    "denied": REFUSED,
    "errors:\ndenied: requested access to the resource is denied\nunauthorized: authentication required\n": REFUSED,
    "error parsing HTTP 403 response body: invalid character '<' looking for beginning of value: "
    '"<html>no</html>"': REFUSED,
}
LOOK = "check the engine's log on the host"
OTHERS = [
    "received unexpected HTTP status: 500 Internal Server Error",
    "toomanyrequests: You have reached your pull rate limit.",
    'Get "https://registry:4030/v2/": EOF',
    'Get "https://registry:4010/v2/": read tcp 10.0.0.2:49176->10.0.0.9:4010: read: connection reset by peer',
]


@pytest.mark.parametrize("text", TEXTS)
def test_explain(text: str) -> None:
    assert explain(text) == TEXTS[text]
    assert explain(text.upper()) == TEXTS[text]


@pytest.mark.parametrize("text", OTHERS)
def test_what_is_not_known_is_told_as_it_is(text: str) -> None:
    assert explain(text) == (f"the registry cannot be queried ({text})", LOOK)


def test_what_is_told_is_one_line() -> None:
    finding, _remedy = explain("one\ntwo\n" + 1000 * "x")
    assert finding.isprintable()
    assert len(finding) < 300


# Logins


LIST: list[dict[str, t.Any]] = [
    {"registry": "r.example", "username": "ann", "password": SECRET},
    {"registry": "r.example:5000", "username": "bob", "password": None},
    {"registry": "docker.io", "username": "hub-user", "password": SECRET, "credential_helper": None},
    {"registry": "trusted.example"},
]
LOGINS: dict[str, dict[str, str] | None] = {
    "r.example/team/bot:1": {"username": "ann", "password": SECRET, "serveraddress": "r.example"},
    "r.example:5000/bot:1": {"username": "bob", "password": "", "serveraddress": "r.example:5000"},
    "r.example:5001/bot:1": None,
    "trusted.example/bot:1": None,
    "other.example/bot:1": None,
    "bot:1": {"username": "hub-user", "password": SECRET, "serveraddress": HUB},
    "docker.io/team/bot:1": {"username": "hub-user", "password": SECRET, "serveraddress": HUB},
    "index.docker.io/team/bot:1": {"username": "hub-user", "password": SECRET, "serveraddress": HUB},
}


@pytest.mark.parametrize("image", LOGINS)
def test_login_by_the_list(image: str) -> None:
    assert login(image, LIST) == LOGINS[image]
    assert login(image, []) is None


@pytest.fixture
def helper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], dict[str, t.Any]]:
    """Install a credential helper, a real program on the path; give the entry of the list that names it."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def install(script: str) -> dict[str, t.Any]:
        program = tmp_path / "docker-credential-test"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return {"registry": "r.example:5000", "credential_helper": "test"}

    return install


def test_login_by_a_helper(helper: t.Callable[[str], dict[str, t.Any]]) -> None:
    """It is asked for the registry as the engine's file of logins names it."""
    answer = json.dumps({"ServerURL": "x", "Username": "ann", "Secret": "SERVER"}).replace("SERVER", "'\"$(cat)\"'")
    entry = helper(f"[ \"$1\" = get ] && echo '{answer}'")
    found = login("r.example:5000/bot:1", [entry])
    assert found == {"username": "ann", "password": "r.example:5000", "serveraddress": "r.example:5000"}
    assert login("bot:1", [{**entry, "registry": "docker.io"}]) == {
        "username": "ann",
        "password": HUB,
        "serveraddress": HUB,
    }
    assert login("other.example/bot:1", [entry]) is None


def test_a_helper_wins_over_a_password(helper: t.Callable[[str], dict[str, t.Any]]) -> None:
    entry = helper('echo \'{"Username": "ann", "Secret": "one"}\'')
    found = login("r.example:5000/bot:1", [{**entry, "username": "bob", "password": "two"}])
    assert found
    assert (found["username"], found["password"]) == ("ann", "one")


HELPERS = {
    "no login": (
        "echo 'credentials not found in native keychain'; exit 1",
        "'docker-credential-test' has no login for it: credentials not found in native keychain",
    ),
    "fails": (
        "echo 'no\nkeychain' >&2; exit 2",
        "'docker-credential-test' has no login for it: no keychain",
    ),
    "says nothing": ("exit 0", "'docker-credential-test' returns no login"),
    "rubbish": (f"echo {SECRET}", "'docker-credential-test' returns no login"),
    "a list": (f"echo '[\"{SECRET}\"]'", "'docker-credential-test' returns no login"),
    "no secret": (f'echo \'{{"Username": "{SECRET}"}}\'', "'docker-credential-test' returns no login"),
    "no program of this machine": (None, "'docker-credential-test' does not answer"),
    "no program": (..., "the host has no program 'docker-credential-none'"),
}


@pytest.mark.parametrize("title", HELPERS)
def test_a_helper_that_gives_no_login(title: str, helper: t.Callable[[str], dict[str, t.Any]], tmp_path: Path) -> None:
    script, message = HELPERS[title]
    entry = helper(script) if isinstance(script, str) else helper("")
    if script is None:
        (tmp_path / "docker-credential-test").write_bytes(b"\x7fELF rubbish")
    if script is ...:
        entry["credential_helper"] = "none"
    with pytest.raises(CredentialError) as error:
        login("r.example:5000/bot:1", [entry])
    assert str(error.value).startswith(message)
    assert SECRET not in str(error.value)
    assert "\n" not in str(error.value)


def test_the_file_of_logins_is_of_its_owner_alone(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        registry._write_login(str(tmp_path), {"username": "ann", "password": "wörd", "serveraddress": "r:5000"})
    finally:
        os.umask(old)
    path = tmp_path / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    auth = json.loads(path.read_text())["auths"]["r:5000"]["auth"]
    assert base64.b64decode(auth).decode() == "ann:wörd"


# Asking


class Client:
    """An engine that answers for some images, and raises what is to be raised for others."""

    def __init__(self, **answers: t.Any) -> None:
        self.answers = answers
        self.logins: list[t.Any] = []

    def inspect_distribution(self, image: str, auth_config: t.Any) -> dict[str, t.Any]:
        self.logins.append(auth_config)
        answer = self.answers[image.rpartition("/")[2].partition(":")[0]]
        if isinstance(answer, Exception):
            raise answer
        return answer


def answer(number: int, *platforms: tuple[str, str]) -> dict[str, t.Any]:
    listed = [{"os": system, "architecture": architecture} for system, architecture in platforms]
    return {"Descriptor": {"digest": f"sha256:{number:064x}"}, "Platforms": listed or None}


def error(explanation: str) -> Exception:
    """As the client's library raises it: its own text has the address of the socket and what was asked for."""
    found = docker_engine.docker.errors.APIError(
        "500 Server Error for http+docker://localhost/...", explanation=explanation
    )
    assert isinstance(found, Exception)
    return found


def wanted(image: str, **more: t.Any) -> dict[str, t.Any]:
    return {"image": image, "deployments": ["a", "b"], "known": [], "optional": False, **more}


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[t.Any, ...]]:
    """What the sizes were asked of; each is 7."""
    asked: list[tuple[t.Any, ...]] = []

    def size(*arguments: t.Any) -> int:
        asked.append(arguments)
        return 7

    monkeypatch.setattr(registry, "_size", size)
    return asked


def test_ask(sizes: list[tuple[t.Any, ...]]) -> None:
    client = Client(bot=answer(1, ("linux", "amd64"), ("linux", "arm64"), ("windows", "386")), old=answer(2))
    there, older = f"r.example/old@sha256:{2:064x}", f"r.example/bot@sha256:{9:064x}"
    images = [wanted("r.example/bot:1", known=[older]), wanted("r.example/old:1", known=[older, there])]
    found, problems = ask(client, images, LIST)
    assert problems == []
    assert found == {
        "r.example/bot:1": {
            "digest": f"r.example/bot@sha256:{1:064x}",
            "architectures": ["amd64", "arm64"],
            "size": 7,
        },
        # Every host has it: there is nothing to download.
        "r.example/old:1": {"digest": there, "architectures": [], "size": 0},
    }
    auth = LOGINS["r.example/team/bot:1"]
    assert client.logins == [auth, auth]
    assert sizes == [(f"r.example/bot@sha256:{1:064x}", [older], auth)]


def test_all_that_is_wrong_is_told_at_once(sizes: list[tuple[t.Any, ...]]) -> None:
    client = Client(
        good=answer(1),
        none=error("manifest unknown: manifest unknown"),
        new=error("name unknown: repository name not known to registry"),
        closed=error("denied"),
        odd=error('Get "https://r.example/v2/": EOF'),
        down=docker_engine.docker.errors.DockerException("UnixHTTPConnectionPool: Read timed out."),
    )
    helped = {"registry": "helped.example", "credential_helper": "none-of-this-name"}
    images = [
        wanted("r.example/none:1"),
        wanted("r.example/new:1", optional=True),
        wanted("r.example/closed:1", optional=True),
        wanted("r.example/odd:1", deployments=[]),
        wanted("r.example/down:1"),
        wanted("helped.example/good:1"),
        wanted("r.example/good:1"),
        wanted("acme/none:1"),
    ]
    found, problems = ask(client, images, [helped])
    assert list(found) == ["r.example/good:1"]
    start = "deployment 'a, b', option 'image': "
    assert [str(problem) for problem in problems] == [
        f"{start}'r.example/none:1': {'; '.join(NO_IMAGE)}",
        f"{start}'r.example/closed:1': {'; '.join(REFUSED)}",
        "deployment '-', option 'image': 'r.example/odd:1': the registry cannot be queried "
        f'(Get "https://r.example/v2/": EOF); {LOOK}',
        f"{start}'r.example/down:1': {'; '.join(UNREACHABLE)}",
        f"{start}'helped.example/good:1': the host has no program 'docker-credential-none-of-this-name'; "
        "install it there, or set username and password in image_registries",
        # The name does not say which registry was asked.
        f"{start}'acme/none:1' at docker.io: {'; '.join(NO_IMAGE)}",
    ]


def manifest(config: int, **layers: int) -> str:
    listed = [{"digest": f"sha256:{name}", "size": size} for name, size in layers.items()]
    return json.dumps({"config": {"digest": f"sha256:config{config}", "size": config}, "layers": listed})


# By the last letter of the digest that is asked for.
MANIFESTS = {
    "1": manifest(1, base=20, app=300),
    "2": manifest(2, base=20, app=300),
    "3": manifest(3, base=20, app=300, more=5),
    "4": '{"manifests": []}',
    "5": "[]",
    "6": "no JSON",
}
DOWNLOADS = {
    ("1", ""): 321,
    ("2", "1"): 2,
    ("3", "1"): 8,
    ("3", "12"): 8,
    ("1", "3"): 1,
    # Unknown layers count as missing.
    ("1", "456"): 321,
    ("4", ""): None,
    ("5", ""): None,
    ("6", "1"): None,
}
in_memory = pytest.mark.skipif(not os.access("/run", os.W_OK), reason="the login waits in /run, of root alone")


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A client that has the manifests, and notes what it was handed."""
    for name, content in MANIFESTS.items():
        (tmp_path / name).write_text(content)
    program = tmp_path / "docker"
    program.write_text(
        f'#!/bin/sh\n[ "$1 $2" = "manifest inspect" ] || exit 1\n'
        f'[ -e "$DOCKER_CONFIG/config.json" ] && cp "$DOCKER_CONFIG/config.json" {tmp_path}/login\n'
        f'echo "$DOCKER_CONFIG" >{tmp_path}/folder\ncat "{tmp_path}/${{3##*:}}"\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path


@in_memory
@pytest.mark.parametrize(("digest", "known"), DOWNLOADS)
def test_size_of_a_download(digest: str, known: str, docker: Path) -> None:
    """Layers that every host has already are no part of it."""
    names = [f"r.example/bot@sha256:{letter}" for letter in known]
    assert registry._size(f"r.example/bot@sha256:{digest}", names, None) == DOWNLOADS[digest, known]


@in_memory
def test_the_client_is_handed_the_login_in_a_file_that_is_gone_afterwards(docker: Path) -> None:
    auth = {"username": "ann", "password": SECRET, "serveraddress": "r.example"}
    assert registry._size("r.example/bot@sha256:1", [], auth) == 321
    assert list(json.loads((docker / "login").read_text())["auths"]) == ["r.example"]
    assert not Path((docker / "folder").read_text().strip()).exists()


@in_memory
@pytest.mark.parametrize("script", [None, "exit 1"])
def test_a_size_that_cannot_be_told(script: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client without that command, or none at all."""
    monkeypatch.setenv("PATH", str(tmp_path))
    if script is not None:
        (tmp_path / "docker").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "docker").chmod(0o755)
    assert registry._size("r.example/bot@sha256:1", [], None) is None
