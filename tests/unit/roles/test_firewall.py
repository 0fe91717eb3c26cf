# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The helper that loads the table: its rendered rules, and when it loads them. Molecule tests their effect in the kernel."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import re
import socket
import subprocess
import typing as t
from pathlib import Path
from types import SimpleNamespace

import jinja2
import pytest
import yaml

from ansible_collections.selfhost.langgraph.tests.unit.roles.helper import ROOT, load

DEFAULTS = yaml.safe_load((ROOT / "roles/firewall/defaults/main.yml").read_text())
SETTINGS = {
    "bridge": "langgraph0",
    "subnet": "172.29.0.0/16",
    "gateway": "172.29.0.1",
    "services": [{"host": "172.29.0.1", "port": 6379}, {"host": "172.29.0.1", "port": "5432"}],
    "closed_addresses": DEFAULTS["firewall_closed_addresses"],
    "config_dir": "/etc/langgraph",
}


def deployment(port: int, *endpoints: dict[str, t.Any], bind_address: str = "0.0.0.0") -> dict[str, t.Any]:
    return {"settings": {"port": port, "bind_address": bind_address}, "endpoints": list(endpoints)}


def endpoint(number: int, *may_reach: str, **changes: t.Any) -> dict[str, t.Any]:
    place = {"address": f"172.29.128.{number}", "port": 8000, "network": "langgraph"}
    return {**place, "may_reach": list(may_reach), **changes}


@pytest.fixture
def helper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Any:
    """Return the helper as a module, with its files below ``tmp_path``."""
    module = load("langgraph-firewall", monkeypatch, "firewall")
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({**SETTINGS, "config_dir": str(tmp_path / "langgraph")}))
    monkeypatch.setattr(module, "SETTINGS", str(settings))
    monkeypatch.setattr(module, "STATE_DIR", str(tmp_path / "run"))
    monkeypatch.setattr(module, "engine_bridges", lambda: [])
    return module


def elements(text: str, name: str) -> list[str]:
    """Return the elements of a set in the rendered table."""
    found = re.search(rf"set {name} {{.*?}}\n", text)
    assert found
    inner = re.search(r"elements = {([^}]*)}", found[0])
    return [item.strip() for item in inner[1].split(",")] if inner else []


def chain(text: str, name: str) -> list[str]:
    """Return the rules of a chain."""
    found = re.search(rf"chain {name} {{\n(.*?)\n    }}", text, re.DOTALL)
    assert found
    return [line.strip() for line in found[1].splitlines()]


# The table


def test_it_replaces_only_its_own_table_in_one_transaction(helper: t.Any) -> None:
    text = helper.render(SETTINGS, {})
    assert text.startswith("table inet langgraph\ndelete table inet langgraph\ntable inet langgraph {\n")
    assert re.findall(r"^\w+ .*", text, re.MULTILINE) == [
        "table inet langgraph",
        "delete table inet langgraph",
        "table inet langgraph {",
    ]


def test_each_entry_chain_matches_only_our_traffic(helper: t.Any) -> None:
    """Other traffic passes: other bridges, subnets and ports."""
    text = helper.render(SETTINGS, {})
    hooks = chain(text, "prerouting")[1:]
    assert hooks == ['iifname "langgraph0" goto from_deployment', 'iifname != "lo" goto from_elsewhere']
    assert chain(text, "forward")[1:] == ['iifname "langgraph0" oifname @bridges ct direction original drop']
    drops = [rule for rule in chain(text, "from_elsewhere") if rule.endswith("drop")]
    assert drops == ["ip daddr 172.29.0.0/16 drop", "ip daddr 127.0.0.0/8 tcp dport @loopback_ports drop"]
    assert text.count("policy accept") == text.count("policy ") == 2


def test_order_of_the_rules_for_a_container(helper: t.Any) -> None:
    """Other containers before replies, replies and DNS before blocked destinations, and those before allowed ones."""
    rules = chain(helper.render(SETTINGS, {}), "from_deployment")
    order = [
        "ip daddr != 172.29.0.1 drop",
        "ct direction reply",
        "dport 53",
        "@services",
        "@closed ",
        "@may_reach",
        "local,",
    ]
    positions = [next(number for number, rule in enumerate(rules) if words in rule) for words in order]
    assert positions == sorted(positions)


def test_other_networks(helper: t.Any) -> None:
    other = {**SETTINGS, "bridge": "lg1", "subnet": "10.9.0.0/24", "gateway": "10.9.0.254"}
    text = helper.render(other, {})
    assert "172.29" not in re.sub(r"set services .*", "", text)
    assert 'iifname "lg1" goto from_deployment' in text
    assert "ip daddr 10.9.0.0/24 ip daddr != 10.9.0.254 drop" in text


def test_the_ports_of_the_services_are_used(helper: t.Any) -> None:
    services = [{"host": "172.29.0.1", "port": 6390}, {"host": "[fd00::5]", "port": 5433}]
    text = helper.render({**SETTINGS, "services": services}, {})
    assert elements(text, "services") == ["172.29.0.1 . 6390"]
    assert elements(text, "services6") == ["fd00::5 . 5433"]


def test_a_service_by_name_is_resolved(helper: t.Any) -> None:
    services = [{"host": "redis.example.org", "port": 6379}, {"host": "nowhere.example.org", "port": 5432}]
    text = helper.render({**SETTINGS, "services": services}, {}, resolved={"redis.example.org": ["10.0.0.5"]})
    assert elements(text, "services") == ["10.0.0.5 . 6379"]


@pytest.mark.parametrize("address", ["169.254.169.254", "169.254.170.2", "fd00:ec2::254", "168.63.129.16", "fe80::1"])
def test_metadata_services_are_blocked(helper: t.Any, address: str) -> None:
    text = helper.render(SETTINGS, {})
    known = elements(text, "closed") + elements(text, "closed6")
    assert any(ipaddress.ip_address(address) in ipaddress.ip_network(network) for network in known)


# Allowed connections between deployments


def test_a_deployment_reaches_another_only_from_its_addresses(helper: t.Any) -> None:
    found = {
        "front": deployment(8123, endpoint(1, "back"), endpoint(2, "back")),
        "back": deployment(8124, endpoint(3)),
        "other": deployment(8125, endpoint(4)),
    }
    assert elements(helper.render(SETTINGS, found), "may_reach") == ["172.29.128.1 . 8124", "172.29.128.2 . 8124"]


@pytest.mark.parametrize(
    "place",
    [
        endpoint(1, "gone"),
        endpoint(1, "back", address="127.0.0.1", port=30000, network=None),
        endpoint(1, "back", address="0.0.0.0", network=None),
        endpoint(1, "back", address="nonsense"),
        {"may_reach": ["back"]},
        {},
    ],
)
def test_nothing_is_allowed_for_an_address_that_is_not_a_containers(helper: t.Any, place: dict[str, t.Any]) -> None:
    found = {"front": deployment(8123, place), "back": deployment(8124), "half": {"settings": {}, "endpoints": []}}
    assert elements(helper.render(SETTINGS, found), "may_reach") == []


def test_our_ports_on_the_loopback(helper: t.Any) -> None:
    """Ports that an earlier version published, public ports, and the services."""
    old = {"address": "127.0.0.1", "port": 30000}
    found = {"one": deployment(8123, old, bind_address="127.0.0.1"), "two": deployment(8124, bind_address="10.0.0.5")}
    assert elements(helper.render(SETTINGS, found), "loopback_ports") == ["5432", "6379", "8123", "30000"]


def test_docker_networks_are_blocked_one_by_one(helper: t.Any) -> None:
    text = helper.render(SETTINGS, {}, ["docker0", "br-0123456789ab", "langgraph0"])
    assert elements(text, "bridges") == ['"br-0123456789ab"', '"docker0"']


@pytest.mark.parametrize(
    ("name", "theirs"),
    [("docker0", True), ("br-0123456789ab", True), ("br-lan", False), ("br0", False), ("virbr0", False)],
)
def test_a_bridge_that_may_be_the_uplink_is_not_blocked(helper: t.Any, name: str, theirs: bool) -> None:
    assert bool(helper.ENGINE_BRIDGE.fullmatch(name)) == theirs


# Loading


class Kernel:
    """A fake nft with one table."""

    def __init__(self) -> None:
        self.table: str | None = None
        self.loads = 0
        self.refuses = ""
        self.transactions = 0
        self.meddles: list[str] = []

    def run(self, command: list[str], input: str | None = None, **_how: t.Any) -> subprocess.CompletedProcess[str]:
        assert command[0] == "/usr/sbin/nft"
        if "list" in command:
            return subprocess.CompletedProcess(command, 0 if self.table else 1, self.table or "", "No such file")
        input = input or ""
        if self.refuses:
            return subprocess.CompletedProcess(command, 1, "", self.refuses)
        self.loads += 1
        self.transactions += 1
        self.table = input if "{" in input else None
        if self.meddles:
            self.transactions += 1
            self.table = f"{self.table} {self.meddles.pop()}"
        return subprocess.CompletedProcess(command, 0, "", "")


class Sockets(SimpleNamespace):
    """A fake module socket, of a kernel that accepts everything."""

    AF_NETLINK = SOCK_RAW = 0

    def socket(self, *_kind: int) -> t.Any:
        return contextlib.nullcontext(SimpleNamespace(bind=lambda _address: None))


@pytest.fixture
def step(helper: t.Any, monkeypatch: pytest.MonkeyPatch) -> t.Callable[[str], None]:
    """Run the program."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    def run(name: str) -> None:
        monkeypatch.setattr(helper.sys, "argv", ["langgraph-firewall.py", name])
        helper.main()

    return run


@pytest.fixture
def kernel(helper: t.Any, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    kernel = Kernel()
    monkeypatch.setattr(helper, "subprocess", SimpleNamespace(run=kernel.run))
    monkeypatch.setattr(helper, "generation", lambda: kernel.transactions)
    return kernel


def test_it_is_loaded_once(helper: t.Any, kernel: Kernel) -> None:
    assert (helper.ensure(), helper.ensure(), kernel.loads) == (True, False, 1)


@pytest.mark.parametrize("after", [None, "changed"])
def test_it_is_loaded_again_after_somebody_flushed_or_changed_it(
    helper: t.Any, kernel: Kernel, after: str | None
) -> None:
    helper.ensure()
    kernel.table = after and (kernel.table or "").replace("172.29.0.1 . 5432", "172.29.0.1 . 22")
    assert (helper.ensure(), helper.ensure(), kernel.loads) == (True, False, 2)


def test_a_change_during_loading_is_not_mistaken_for_ours(helper: t.Any, kernel: Kernel) -> None:
    kernel.meddles = ["tcp dport 22 accept"]
    assert helper.ensure() is True
    assert (kernel.loads, "dport 22" in (kernel.table or "")) == (2, False)
    assert helper.ensure() is False


def test_repeated_changes_by_others_are_corrected_later(helper: t.Any, kernel: Kernel) -> None:
    kernel.meddles = ["tcp dport 22 accept"] * 6
    assert (helper.ensure(), helper.ensure(), helper.ensure(), kernel.loads) == (True, True, False, 7)
    assert "dport 22" not in (kernel.table or "")


def test_the_order_of_elements_is_not_a_change(helper: t.Any, kernel: Kernel) -> None:
    helper.ensure()
    both = "172.29.0.1 . 5432, 172.29.0.1 . 6379"
    assert both in (kernel.table or "")
    kernel.table = (kernel.table or "").replace(both, "172.29.0.1 . 6379, 172.29.0.1 . 5432")
    assert helper.ensure() is False


def test_it_follows_the_deployments(helper: t.Any, kernel: Kernel, tmp_path: Path) -> None:
    helper.ensure()
    for name, port in (("front", 8123), ("back", 8124)):
        directory = tmp_path / "langgraph" / name / "revisions/1"
        directory.mkdir(parents=True)
        (directory / "slot.json").write_text(
            json.dumps(endpoint(port - 8122, "back") if name == "front" else endpoint(2))
        )
        (directory.parent.parent / "deployment.json").write_text(json.dumps({"port": port, "bind_address": "0.0.0.0"}))
    (tmp_path / "langgraph/front/revisions/2").mkdir()
    (tmp_path / "langgraph/front/revisions/2/slot.json").write_text('{"cut sh')
    assert helper.ensure() is True
    assert elements(kernel.table or "", "may_reach") == ["172.29.128.1 . 8124"]


def test_an_error_of_nft_is_reported_and_the_table_is_kept(helper: t.Any, kernel: Kernel) -> None:
    helper.ensure()
    before, kernel.refuses = kernel.table, "Error: no such thing\n"
    Path(helper.SETTINGS).write_text(json.dumps({**SETTINGS, "bridge": "other0"}))
    with pytest.raises(SystemExit, match="^nft cannot load the table inet langgraph: Error: no such thing$"):
        helper.ensure()
    assert kernel.table == before


def test_a_table_of_somebody_else_is_not_changed(helper: t.Any, kernel: Kernel) -> None:
    kernel.table = "table inet langgraph { chain theirs { } }"
    with pytest.raises(SystemExit, match="^the table inet langgraph belongs to another program; rename it"):
        helper.ensure()
    assert kernel.loads == 0


def test_without_settings_nothing_is_restricted(helper: t.Any, kernel: Kernel) -> None:
    Path(helper.SETTINGS).unlink()
    assert (helper.ensure(), kernel.loads) == (False, 0)


def test_a_name_that_cannot_be_resolved_keeps_its_addresses(
    helper: t.Any, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = [{"host": "redis.example.org", "port": 6379}]
    Path(helper.SETTINGS).write_text(json.dumps({**SETTINGS, "services": services}))
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("10.0.0.5", 0))]
    monkeypatch.setattr(helper.socket, "getaddrinfo", lambda *_words, **_more: answer)
    assert helper.ensure(look_up=True) is True

    def unknown(*_words: t.Any, **_more: t.Any) -> t.NoReturn:
        raise socket.gaierror

    monkeypatch.setattr(helper.socket, "getaddrinfo", unknown)
    assert helper.ensure(look_up=True) is False
    assert helper.ensure() is False
    assert elements(kernel.table or "", "services") == ["10.0.0.5 . 6379"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "Expecting value"),
        ('{"bridge": "lang', "Unterminated string"),
        ("{}", "is not in the format that the role firewall writes"),
        ("[]", "is not in the format that the role firewall writes"),
        (json.dumps({**SETTINGS, "closed_addresses": ["10.1.2.3/8"]}), "10.1.2.3/8 has host bits set$"),
        (json.dumps({**SETTINGS, "subnet": "nonsense"}), "'nonsense' does not appear to be an IPv4 or IPv6 network$"),
    ],
)
def test_invalid_settings_allow_nothing(helper: t.Any, kernel: Kernel, step: t.Any, text: str, reason: str) -> None:
    helper.ensure()
    before = kernel.table
    Path(helper.SETTINGS).write_text(text)
    with pytest.raises(SystemExit, match=f"^nft cannot load the table inet langgraph: .*{reason}") as end:
        step("apply")
    assert "\n" not in str(end.value)
    assert kernel.table == before


def test_unreadable_settings_allow_nothing(helper: t.Any, kernel: Kernel, step: t.Any) -> None:
    Path(helper.SETTINGS).unlink()
    Path(helper.SETTINGS).mkdir()
    with pytest.raises(SystemExit, match="^nft cannot load the table inet langgraph: .*Is a directory"):
        step("apply")
    assert kernel.loads == 0


@pytest.mark.parametrize(("name", "does"), [("apply", "load"), ("watch", "load"), ("remove", "remove")])
def test_a_missing_nft_is_reported_in_one_line(
    helper: t.Any, step: t.Any, monkeypatch: pytest.MonkeyPatch, name: str, does: str
) -> None:
    def missing(command: list[str], **_how: t.Any) -> t.NoReturn:
        raise FileNotFoundError(2, "No such file or directory", command[0])

    monkeypatch.setattr(helper, "subprocess", SimpleNamespace(run=missing))
    monkeypatch.setattr(helper, "socket", Sockets())
    sentence = f"nft cannot {does} the table inet langgraph: .*No such file or directory: '/usr/sbin/nft'"
    with pytest.raises(SystemExit, match=f"^{sentence}$"):
        step(name)


def test_it_is_removed(helper: t.Any, kernel: Kernel) -> None:
    helper.ensure()
    helper.remove()
    assert kernel.table is None
    assert helper.ensure() is True


def test_a_table_of_somebody_else_is_not_removed(helper: t.Any, kernel: Kernel) -> None:
    kernel.table = "table inet langgraph { chain theirs { } }"
    helper.remove()
    assert kernel.table


def test_a_failed_removal_is_reported(helper: t.Any, kernel: Kernel) -> None:
    helper.ensure()
    kernel.refuses = "Error: Operation not permitted\n"
    with pytest.raises(
        SystemExit, match="^nft cannot remove the table inet langgraph: Error: Operation not permitted$"
    ):
        helper.remove()


# The watch


@pytest.fixture
def watcher(helper: t.Any, kernel: Kernel, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> t.Any:
    """Run the watcher from a separate file; each function changes the host and wakes it, and then it is killed."""
    file = tmp_path / "program.py"
    file.write_text("old")
    monkeypatch.setattr(helper, "__file__", str(file))
    monkeypatch.setattr(helper, "socket", Sockets())

    def run(*changes: t.Callable[[Path], t.Any]) -> None:
        waiting = [*changes]

        def wait(_events: t.Any) -> None:
            if not waiting:
                raise KeyboardInterrupt
            waiting.pop(0)(file)

        monkeypatch.setattr(helper, "wait_for_change", wait)
        helper.watch()

    return run


def replaced(file: Path) -> None:
    """Replace the file like the role, by renaming another one."""
    file.with_name("new").write_text("new")
    file.with_name("new").replace(file)


def test_an_old_watcher_does_not_undo_its_successors_table(kernel: Kernel, watcher: t.Any) -> None:
    def load(file: Path) -> None:
        replaced(file)
        kernel.table = "by the new one"

    watcher(load)
    assert kernel.table == "by the new one"


@pytest.mark.parametrize("change", [lambda _file: None, Path.unlink])
def test_the_watcher_continues(kernel: Kernel, watcher: t.Any, change: t.Callable[[Path], t.Any]) -> None:
    def flush(file: Path) -> None:
        change(file)
        kernel.table = None

    with pytest.raises(KeyboardInterrupt):
        watcher(flush)
    assert kernel.table


def test_systemd_always_restarts_the_watcher() -> None:
    unit = (ROOT / "roles/firewall/templates/langgraph-firewall.service.j2").read_text().splitlines()
    assert {"Restart=always", "StartLimitIntervalSec=0"} <= set(unit)


def test_our_own_change_is_checked_at_once(helper: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, events = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    clock = SimpleNamespace(monotonic=lambda: 0.0)
    monkeypatch.setattr(helper, "time", clock)
    with ours, events:
        ours.send(b"....filter\0....")
        ours.send(b"....langgraph\0....")
        ours.send(b"....later")
        helper.wait_for_change(events)
        assert events.recv(100) == b"....later"


def test_a_change_by_others_is_checked_after_a_delay(helper: t.Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(helper, "_INTERVAL", 0.05)
    ours, events = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, events:
        ours.send(b"....langgraph0\0....")
        helper.wait_for_change(events)
        events.setblocking(False)
        with pytest.raises(BlockingIOError):
            events.recv(100)


def test_lost_events_count_as_a_change(helper: t.Any) -> None:
    class Overrun:
        def fileno(self) -> int:
            return 0

        def recv(self, _size: int) -> t.NoReturn:
            raise OSError("No buffer space available")

    helper.select = SimpleNamespace(select=lambda *_lists: ([1], [], []))
    helper.wait_for_change(Overrun())


# The role


def tasks(path: str) -> list[dict[str, t.Any]]:
    return yaml.safe_load((ROOT / "roles" / path).read_text())


def test_the_inventorys_allowed_networks_are_allowed_in_addition_to_those_of_deployments() -> None:
    """Variables of a task take precedence over the inventory's: the role langgraph passes none that belong to the inventory."""
    (task,) = tasks("langgraph/tasks/firewall.yml")
    assert set(task["vars"]) == {"firewall_own_services"}
    world = jinja2.Environment(undefined=jinja2.StrictUndefined)
    world.filters["to_nice_json"] = json.dumps
    given = {**DEFAULTS, "firewall_own_services": ["own"], "firewall_services": ["given"]}
    text = world.from_string((ROOT / "roles/firewall/templates/settings.json.j2").read_text()).render(given)
    assert json.loads(text)["services"] == ["own", "given"]


def test_the_role_writes_the_settings_that_the_helper_reads(helper: t.Any) -> None:
    text = (ROOT / "roles/firewall/templates/settings.json.j2").read_text()
    assert set(re.findall(r"'(\w+)':", text)) == helper._KEYS == set(SETTINGS)


@pytest.mark.parametrize("file", ["tasks/configure.yml", "tasks/remove.yml"])
def test_no_task_requires_a_unit_that_may_be_missing(file: str) -> None:
    """Check mode creates none, and a killed removal has deleted it."""
    asking = [task for task in tasks(f"firewall/{file}") if "name" in task.get("ansible.builtin.systemd_service", {})]
    assert asking
    for task in asking:
        when = r"^__firewall_unit\.stat\.exists|not ansible_check_mode|^_firewall_watcher\.active"
        assert re.search(when, task.get("when", "")), task["name"]


def test_leftovers_of_a_killed_run_are_detected() -> None:
    """There is no handler, which a killed run would lose: the process is compared with its files, the table with the settings."""
    assert not (ROOT / "roles/firewall/handlers").exists()
    *_writes, looks, restarts, starts, loads = tasks("firewall/tasks/configure.yml")
    assert looks["selfhost.langgraph.unit_info"]["units"][0]["files"] == ["{{ _firewall_helper }}"]
    assert restarts["ansible.builtin.systemd_service"].items() >= {"daemon_reload": True, "state": "restarted"}.items()
    assert restarts["when"] == "_firewall_watcher.active and _firewall_watcher.stale"
    assert starts["ansible.builtin.systemd_service"]["daemon_reload"] == "{{ not _firewall_watcher.active }}"
    assert loads["ansible.builtin.command"]["argv"][-1] == "apply"
    assert "when" not in loads


def test_a_killed_removal_is_completed_by_the_next_run() -> None:
    """The settings, by which the next run detects it, are deleted last; systemd forgets the unit before that."""
    *_before, files, reload, settings = tasks("firewall/tasks/remove.yml")
    assert "{{ _firewall_unit }}" in files["loop"]
    assert reload["ansible.builtin.systemd_service"] == {"daemon_reload": True}
    assert settings["ansible.builtin.file"]["path"] == "{{ _firewall_config_dir }}"
