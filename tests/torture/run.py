# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fifty processes claim two hundred deployments at once on real servers, and are killed at random points.

Each process does what the role does: it reads the durable claims, claims Redis databases, and creates Postgres databases, for
a random share of the names, so that most names are claimed by several processes. Most of the processes get SIGKILL at a
random time. The same calls must then finish the work: no duplicate, nothing lost, nothing leaked.
A failure prints the seed that replays it (it determines the times of the kills; the scheduling is the system's).
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import sys
import time
import traceback
import typing as t

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TESTS / "integration" / "claims"))

import servers  # noqa: E402
from stage import OWNER, Stage  # noqa: E402

PROCESSES, NAMES, SHARE = 50, 200, 24
# Processes of another inventory, and how many names each tries to claim: all are refused, whatever else happens.
STRANGERS, COVETED = 8, 10


def start(stage: Stage, names: t.Sequence[str]) -> int:
    """Run a play in a process of its own; return its ID."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        stage.play(names)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def trespass(stage: Stage, names: t.Sequence[str]) -> int:
    """Claim names of others in a process of its own; it fails unless every one is refused."""
    child = os.fork()
    if child:
        return child
    from ansible_collections.selfhost.langgraph.plugins.module_utils._claims.errors import Refused

    code = 1
    try:
        stage.claim_numbers(names, stage.known(), owner="another-inventory-0001")
    except Refused as exc:
        code = 0 if {problem.deployment for problem in exc.problems} == set(names) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def storm(stage: Stage, chance: random.Random, names: t.Sequence[str]) -> tuple[int, int]:
    """Start all processes, kill some; return how many were killed and how many failed by themselves."""
    shares = [chance.sample(names, SHARE) for _process in range(PROCESSES)]
    children = {start(stage, share): share for share in shares}
    strangers = {trespass(stage, names[:COVETED]) for _stranger in range(STRANGERS)}
    children |= {child: [] for child in strangers}
    # The claims take the first second; CREATE DATABASE, one process after another, takes the rest.
    plans = sorted(
        (chance.uniform(0.0, chance.choice((1.0, 8.0))), child)
        for child in children
        if chance.random() < 0.8 and child not in strangers
    )
    began, killed, failed, ended = time.monotonic(), 0, 0, set()
    while len(ended) < len(children):
        while plans and time.monotonic() - began >= plans[0][0]:
            _moment, victim = plans.pop(0)
            if victim not in ended:
                os.kill(victim, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            child, status = os.waitpid(-1, os.WNOHANG)
            if child:
                ended.add(child)
                killed += os.WIFSIGNALED(status)
                failed += os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0
        time.sleep(0.002)
        if time.monotonic() - began > 300:
            raise AssertionError("the storm does not end: a deadlock")
    return killed, failed


def _finished(stage: Stage) -> t.Iterator[str]:
    with contextlib.suppress(FileNotFoundError):
        yield from stage.acknowledged.read_text().splitlines()


def check(stage: Stage, names: t.Sequence[str], promised: t.Mapping[str, set[int]]) -> list[str]:
    """Find everything that is duplicate, lost, leaked or unfinished."""
    found = []
    record = stage.redis.record()
    claims = {name: int(value.split()[0]) for name, value in record.items()}
    found += [f"{name} belongs to {value}" for name, value in record.items() if value.split()[1:] != [OWNER]]
    twice = [number for number, count in collections.Counter(claims.values()).items() if count > 1]
    found += [f"Redis database {number} has two names" for number in twice]
    found += [f"{name} has no database number" for name in set(names) - set(claims)]
    found += [f"{name} was leaked into Redis" for name in set(claims) - set(names)]
    found += [
        f"{name} was promised {given} and has {claims.get(name)}"
        for name, given in promised.items()
        if given != {claims.get(name)}
    ]
    users = set(stage.redis.admin().acl_users()) - {"default", servers.ADMIN}
    found += [f"Redis users differ: {sorted(users ^ set(names))}"] if users != set(names) else []
    remembered = {item["name"]: item for item in stage.known()}
    found += [
        f"{name}: Redis {claims.get(name)}, Postgres {item['redis_db']}"
        for name, item in remembered.items()
        if claims.get(name) != item["redis_db"]
    ]
    rows = stage.postgres.query(
        "SELECT datname, pg_get_userbyid(datdba), datallowconn,"
        " EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0)"
        " FROM pg_database WHERE datname NOT IN ('postgres', 'template0', 'template1')"
    )
    found += [f"{row} is not as it should be" for row in rows if row[1:] != (row[0], True, False)]
    databases = {row[0] for row in rows}
    found += [f"databases differ: {sorted(databases ^ set(names))}"] if databases != set(names) else []
    found += ["something is left to do"] if stage.make_databases(claims)["actions"] else []
    return found


def play_round(stage: Stage, seed: int) -> str:
    """Run all processes, finish, check, lose Redis, check again."""
    chance = random.Random(seed)
    names = [f"n{number}" for number in range(NAMES)]
    began = time.monotonic()
    stage.play(names[:COVETED])  # so that somebody has what the strangers want
    killed, failed = storm(stage, chance, names)
    assert failed == 0, f"{failed} processes failed by themselves"
    promised: dict[str, set[int]] = collections.defaultdict(set)
    for line in _finished(stage):
        for name, number in json.loads(line).items():
            promised[name].add(number)
    stage.play(names)  # the same call, by somebody who is not killed
    problems = check(stage, names, promised)
    before = stage.redis.record()
    stage.redis.admin().flushall()
    numbers = stage.claim_numbers(["newcomer"], stage.known())
    if str(numbers["newcomer"]) in before.values():
        problems.append("after FLUSHALL a new deployment got a database number that was claimed")
    stage.claim_numbers(names, stage.known())
    after = {name: number for name, number in stage.redis.record().items() if name != "newcomer"}
    problems += ["after FLUSHALL the database numbers changed"] if after != before else []
    if problems:
        raise AssertionError("\n".join(problems[:20]))
    before_claim = PROCESSES + 2 - len(list(_finished(stage)))
    return f"{killed} killed ({before_claim} of them before their claim), {time.monotonic() - began:.1f} s"


def main() -> int:
    """Run the rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seed", type=int, default=None)
    options = parser.parse_args()
    first = options.seed if options.seed is not None else random.SystemRandom().randrange(10**6)
    for seed in range(first, first + options.rounds):
        print(f"seed {seed}: {PROCESSES} processes, {NAMES} names ... ", end="", flush=True)
        try:
            with contextlib.closing(Stage()) as stage:
                print(play_round(stage, seed), "- no duplicate, nothing lost, nothing leaked", flush=True)
        except servers.MissingProgram as exc:
            print(exc)
            return 2
        except AssertionError as exc:
            print(f"FAILED\n{exc}\nreplay with SEED={seed} ROUNDS=1")
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
