# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of this project as a session; `make` installs what they need and runs them, CONTRIBUTING.md lists them.

Sessions without a virtual environment of their own use build/venv, where nox itself is: nothing is installed twice. The
others have packages that conflict with it, and are reused.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import antsibull_nox
import nox
import yaml

sys.path.insert(0, str(Path(__file__).parent / "tests/tools"))
import project
from ansible_test import ansible_test
from project import BUILD, CONSTRAINTS, RESULTS, ROOT, SETTINGS, VENV, export
from smoke import smoke as check_installed

nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.envdir = "build/nox"
nox.options.sessions = ["lint", "unit"]
os.environ.update(SETTINGS)
TOOLS = ROOT / "tests/tools"
EXAMPLE = ROOT / "examples/demo"
CORES = [nox.param("oldest", id="oldest"), nox.param("newest", id="newest")]
# The unit tests that ansible-test's environments skip, because langgraph's CLI or git is missing.
CLI_TESTS = ("tests/unit/tools", "tests/unit/plugins/module_utils/_images/test_build.py")
VALKEY_TESTS = [
    f"tests/integration/claims/test_{name}.py"
    for name in ("redis_database", "redis_instance", "properties", "trespass")
]
VALIDATE = (
    "import sys, yaml; from ansible_builder.ee_schema import validate_schema as v; v(yaml.safe_load(open(sys.argv[1])))"
)

antsibull_nox.load_antsibull_nox_toml()


# Static checks, each of them a session, so that all of them run and each has its result.


@nox.session(
    venv_backend="none",
    requires=[
        "ruff",
        "yamllint",
        "ansible-lint",
        "mypy",
        "antsibull-docs",
        "extra-checks",
        "changelog",
        "release-notes",
    ],
)
def lint(session: nox.Session) -> None:
    """All static checks."""


@nox.session(venv_backend="none")
def ruff(session: nox.Session) -> None:
    """Python: errors and format."""
    with session.chdir(export("lint")):
        session.run("ruff", "check", "--quiet", ".")
        session.run("ruff", "format", "--check", "--quiet", ".")


@nox.session(venv_backend="none")
def yamllint(session: nox.Session) -> None:
    """YAML."""
    with session.chdir(export("lint")):
        session.run("yamllint", "--strict", ".")


@nox.session(name="ansible-lint", venv_backend="none")
def ansible_lint(session: nox.Session) -> None:
    """Roles, playbooks and scenarios, with the profile production."""
    tree = export("lint")
    with session.chdir(tree):
        paths = f"{tree.parents[2]}:{SETTINGS['ANSIBLE_COLLECTIONS_PATH']}"
        command = ("ansible-lint", "--offline", "--profile", "production", "-q")
        session.run(*command, env={"ANSIBLE_COLLECTIONS_PATH": paths})


@nox.session(venv_backend="none")
def mypy(session: nox.Session) -> None:
    """Types of the plugins."""
    tree = export("lint")
    with session.chdir(tree.parents[2]):
        options = ("--config-file", str(tree / "pyproject.toml"), "--cache-dir", str(BUILD / ".mypy_cache"))
        session.run("mypy", *options, "ansible_collections/selfhost/langgraph/plugins")


@nox.session(name="antsibull-docs", venv_backend="none")
def antsibull_docs(session: nox.Session) -> None:
    """Documentation of modules, plugins and roles."""
    with session.chdir(export("lint")):
        session.run(
            "antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "self", "."
        )


@nox.session(venv_backend="none")
def changelog(session: nox.Session) -> None:
    """Fragments: each is valid, and a change that users notice has one (CHANGED_SINCE=origin/main)."""
    session.run("antsibull-changelog", "lint")
    session.run("python", str(TOOLS / "changelog.py"))


@nox.session(name="release-notes", venv_backend="none")
def release_notes(session: nox.Session) -> None:
    """Build the release notes of the next release from the fragments, unless this version is already released."""
    tree = export("release-notes")
    version = yaml.safe_load((tree / "galaxy.yml").read_text(encoding="utf-8"))["version"]
    released = yaml.safe_load((tree / "changelogs/changelog.yaml").read_text(encoding="utf-8"))["releases"]
    with session.chdir(tree):
        if version not in released:
            session.run("antsibull-changelog", "release", "--version", version)
    if "v" + version.replace(".", "\\.") not in (tree / "CHANGELOG.md").read_text(encoding="utf-8"):
        session.error(f"CHANGELOG.md has no section for {version}")


# Tests without hosts.


@nox.session(venv_backend="none")
def unit(session: nox.Session) -> None:
    """The unit tests in build/venv; arguments are pytest's."""
    session.run("pytest", "-n", "2", f"--junitxml={RESULTS}/unit.xml", *session.posargs)


@nox.session(venv_backend="none")
def cli(session: nox.Session) -> None:
    """The unit tests that ansible-test's environments skip."""
    session.run("pytest", "-n", "2", f"--junitxml={RESULTS}/cli.xml", *CLI_TESTS)


@nox.session(venv_backend="none")
@nox.parametrize("core", CORES)
def sanity(session: nox.Session, core: str) -> None:
    """ansible-test sanity, with the oldest and the newest ansible-core."""
    if failed := ansible_test(core, "sanity", session.posargs):
        session.error(failed)


@nox.session(venv_backend="none")
@nox.parametrize("core", CORES)
def units(session: nox.Session, core: str) -> None:
    """The unit tests, with the oldest and the newest ansible-core."""
    if failed := ansible_test(core, "units", session.posargs):
        session.error(failed)


@nox.session(venv_backend="none")
def docs(session: nox.Session) -> None:
    """Build the documentation site in build/docs/html; a warning is an error."""
    directory = BUILD / "docs"
    source = directory / "source"
    shutil.rmtree(directory, ignore_errors=True)
    (source / "reference").mkdir(parents=True)
    for page in ROOT.glob("docs/*.md"):
        shutil.copy(page, source)
    shutil.copytree(ROOT / "docs/images", source / "images")
    options = ("--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", str(source / "reference"))
    session.run("antsibull-docs", "collection", *options, "selfhost.langgraph")
    session.run("python", str(TOOLS / "docs_pages.py"), str(source))
    strict = ("-q", "-W", "--keep-going", "--fresh-env", "--jobs", "auto")
    session.run("sphinx-build", "-M", "html", str(source), str(directory), "-c", str(ROOT / "docs"), *strict)
    session.log("open build/docs/html/index.html")


def tarball(tree: Path) -> Path:
    """Build the collection as for Galaxy. The build does not read .gitignore, so it uses an export."""
    directory = BUILD / "dist" / tree.parents[2].name
    shutil.rmtree(directory, ignore_errors=True)
    project.run(VENV / "bin/ansible-galaxy", "collection", "build", "--output-path", directory, tree)
    return next(directory.glob("*.tar.gz"))


@nox.session
def smoke(session: nox.Session) -> None:
    """The tarball, installed offline into a clean environment."""
    session.install("-q", *project.pins("ansible-core"), "-c", CONSTRAINTS)
    tree = export("smoke")
    check_installed(session, tarball(tree), tree)


@nox.session
def importer(session: nox.Session) -> None:
    """galaxy-importer for the tarball, ansible-builder for an execution environment, REUSE for the licences."""
    session.install("-q", "-r", "requirements/importer.txt")
    tree = export("importer")
    lend_collections(session, tree)
    built = tarball(tree)
    settings = {
        "ANSIBLE_COLLECTIONS_PATH": None,
        "GALAXY_IMPORTER_CHECK_REQUIRED_TAGS": "true",
        "GALAXY_IMPORTER_ANSIBLE_LOCAL_TMP": str(BUILD / "nox/importer/tmp"),
    }
    with session.chdir(built.parent):
        said = session.run("python", "-m", "galaxy_importer.main", str(built), env=settings, silent=True)
    print(said)
    # A warning is a failure here, which the exit code does not show.
    if found := re.findall(r"^(?:WARNING|ERROR|CRITICAL).*|.*Traceback.*", said, re.MULTILINE):
        session.error("\n".join(found))
    session.run("python", "-c", VALIDATE, str(tree / "meta/execution-environment.yml"))
    said = session.run("ansible-builder", "introspect", str(tree.parents[2]), silent=True)
    if not re.search("^- 'docker>=", said, re.MULTILINE) or not re.search("^- 'libpq5 ", said, re.MULTILINE):
        session.error(f"packages are missing in the execution environment:\n{said}")
    session.run("reuse", "--root", str(tree), "lint")


def lend_collections(session: nox.Session, tree: Path) -> None:
    """Link the collections next to the Python packages of the session.

    As Galaxy is not reachable, the importer's ansible-lint finds other collections only there, and also the playbooks of this
    one, because the importer names its directory in a form that ansible-lint does not search.
    """
    (packages,) = Path(session.virtualenv.location).glob("lib/python*/site-packages")
    target = packages / "ansible_collections"
    shutil.rmtree(target, ignore_errors=True)
    (target / "selfhost").mkdir(parents=True)
    for directory in (project.COLLECTIONS / "ansible_collections").iterdir():
        if directory.name != "selfhost":
            (target / directory.name).symlink_to(directory)
    (target / "selfhost/langgraph").symlink_to(tree)


# Tests with servers and hosts, as root.


def images(session: nox.Session, *wanted: str) -> None:
    """Build images that are missing or not up to date."""
    session.run(str(TOOLS / "images.sh"), *wanted)


@nox.session(venv_backend="none")
def integration(session: nox.Session) -> None:
    """The claim modules against real servers of both releases, and against Valkey; arguments are pytest's."""
    images(session, "servers:bookworm", "servers:trixie")
    for name, release, settings, tests in (
        ("bookworm", "bookworm", {}, ["tests/integration"]),
        ("trixie", "trixie", {}, ["tests/integration"]),
        ("valkey", "trixie", {"CLAIMS_REDIS": "valkey-server"}, VALKEY_TESTS),
    ):
        options = ("-n", "2", f"--junitxml={RESULTS}/integration-{name}.xml", *session.posargs)
        session.run("pytest", *options, *tests, env={"CLAIMS_ROOTFS": f"{BUILD}/servers/{release}", **settings})


@nox.session(venv_backend="none")
def torture(session: nox.Session) -> None:
    """Fifty processes that claim two hundred deployments and are killed; arguments: --rounds 2 --seed 1."""
    images(session, "servers:trixie")
    settings = {"CLAIMS_ROOTFS": f"{BUILD}/servers/trixie"}
    session.run("python", "tests/torture/run.py", *(session.posargs or ("--rounds", "2")), env=settings)


@nox.session(venv_backend="none")
def molecule(session: nox.Session) -> None:
    """Molecule's scenarios, one after the other; arguments: names. By default all, of role_* those of the gate, on one release each."""
    images(session, "host:bookworm", "host:trixie", "agent")
    scenarios = session.posargs or all_scenarios()
    # Hosts that a killed run left would be taken for fresh ones.
    remove_hosts(session, "inventory", "role/inventory")
    failed, previous = [], ""
    for name in scenarios:
        # The scenarios that follow measure times: the services of other hosts must not run meanwhile.
        if previous.startswith("role_") and not name.startswith("role_"):
            remove_hosts(session, "role/inventory")
        previous = name
        if not passes(name):
            failed.append(name)
    remove_hosts(session, "inventory", "role/inventory")
    if failed:
        session.error(f"failed: {', '.join(failed)}")


def all_scenarios() -> list[str]:
    """Return all scenarios in their order, and let those of one role run on the hosts of their group `gate` only."""
    everywhere = bool(os.environ.get("SELFHOST_LANGGRAPH_EVERYWHERE"))
    os.environ.setdefault("SELFHOST_LANGGRAPH_ROLE_HOSTS", "all" if everywhere else "gate")
    names = sorted(path.parent.name for path in ROOT.glob("molecule/*/molecule.yml"))
    return [name for name in names if not name.startswith("role_") or everywhere or has_gate(name)]


def has_gate(scenario: str) -> bool:
    """Return whether a scenario of a role has a host that it uses when all scenarios run."""
    inventory = (ROOT / "molecule" / scenario / "inventory/hosts.yml").read_text(encoding="utf-8")
    return "gate" in (yaml.safe_load(inventory)["all"].get("children") or {})


def remove_hosts(session: nox.Session, *inventories: str) -> None:
    """Remove the hosts of these inventories in the directory molecule."""
    for inventory in inventories:
        session.run("ansible-playbook", "-i", f"molecule/{inventory}", "molecule/default/destroy.yml")


def passes(scenario: str) -> bool:
    """Run a scenario; return whether it succeeded. A failed one does not stop the others."""
    # The scenarios share Molecule's state, and what one of them has prepared would count for the next one too.
    for state in BUILD.glob("ansible/tmp/molecule.*"):
        shutil.rmtree(state)
    log = BUILD / f"log/molecule-{scenario}.log"
    command = ("molecule", "test", "--no-command-borders", "--destroy", "never", "--scenario-name", scenario)
    if project.logged(command, log) == 0:
        return True
    # The failure of a playbook is in no test report; the first failure is the relevant one.
    lines = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(encoding="utf-8")).splitlines()
    first = next((number for number, line in enumerate(lines) if re.search(r"fatal: |\[ERROR\]", line)), len(lines))
    RESULTS.mkdir(parents=True, exist_ok=True)
    with (RESULTS / "molecule-failed").open("a", encoding="utf-8") as file:
        file.write("\n".join((f"scenario {scenario}:", *lines[first : first + 12], "")))
    return False


@nox.session(venv_backend="none")
def bench(session: nox.Session) -> None:
    """The benchmarks; arguments: --only NAME. Writes build/benchmark.json."""
    session.run("python", "tests/benchmark/run.py", *session.posargs)


@nox.session(venv_backend="none")
def demo(session: nox.Session) -> None:
    """A bare host, the play of examples/demo on it, one real run through each server's API."""
    hosts, variables = "tests/hosts/demo.yml", BUILD / "demo/server.json"
    variables.parent.mkdir(parents=True, exist_ok=True)
    session.run("ansible-playbook", "-i", hosts, "molecule/default/create.yml")
    inventories = ("-i", "inventory", "-i", str(ROOT / hosts))
    with session.chdir(EXAMPLE):
        session.run("ansible-playbook", *inventories, "site.yml")
        options = ("--playbook-dir", ".", "--host", "server", "--output", str(variables))
        session.run("ansible-inventory", *inventories, *options)
    # The deployments listen on the host's loopback only, so the client runs in its network, like a client on that machine.
    container = f"{project.PREFIX}-demo"
    found = session.run("docker", "inspect", "--format", "{{.State.Pid}}", container, silent=True)
    session.run(
        "nsenter",
        "--net",
        "--target",
        found.strip(),
        "--",
        f"{VENV}/bin/python",
        f"{TOOLS}/demo_run.py",
        str(variables),
    )
    session.log(
        f"done. Try: docker exec {container} curl -s http://127.0.0.1:8123/ok; remove everything: make demo-down"
    )
