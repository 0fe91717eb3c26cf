# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the benchmarks of this directory and merge their figures into build/benchmark.json.

A benchmark is a module here with a name that does not start with ``_``. It has ``run() -> dict`` (the figures, under its own
name) and may have ``table(figures) -> list[str]`` for users and ``bars(figures) -> list[(title, figure, maximum)]``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import types
import typing as t

from _bench import BUILD, DIRECTORY, say

RESULTS = BUILD / "benchmark.json"


def names() -> list[str]:
    """Return the names of all benchmarks."""
    found = (path.stem for path in DIRECTORY.glob("*.py"))
    return sorted(name for name in found if name != "run" and not name.startswith("_"))


def merge(old: dict[str, t.Any], new: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Replace the figures that were measured again, keep the others."""
    for key, value in new.items():
        if isinstance(value, dict) and isinstance(old.get(key), dict):
            merge(old[key], value)
        else:
            old[key] = value
    return old


def flat(figures: t.Mapping[str, t.Any], prefix: str = "") -> t.Iterator[str]:
    """Return one line per figure, for benchmarks without their own table."""
    for key, value in figures.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from flat(value, f"{name}.")
        else:
            yield f"{name:<60}{value:>14}"


def report(module: types.ModuleType, figures: t.Mapping[str, t.Any]) -> bool:
    """Print the figures and the limits; return whether all limits hold."""
    print()
    print("\n".join(module.table(figures) if hasattr(module, "table") else flat(figures)))
    met = True
    for text, figure, limit in module.bars(figures) if hasattr(module, "bars") else []:
        good = figure <= limit
        met = met and good
        print(f"{'met   ' if good else 'MISSED'}  {text}: {figure:.4g} (at most {limit:.4g})")
    print(flush=True)
    return met


def main() -> int:
    """Run all or some, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=names(), action="append", help="run this one; can be repeated")
    chosen = parser.parse_args().only or names()
    missed = []
    for name in chosen:
        say(f"benchmark {name} ...")
        module = importlib.import_module(name)
        figures = module.run()
        kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
        RESULTS.write_text(json.dumps(merge(kept, figures), indent=2) + "\n")
        if not report(module, figures):
            missed.append(name)
    say(f"figures: {RESULTS.relative_to(DIRECTORY.parents[1])}")
    if missed:
        say(f"bars missed by: {', '.join(missed)}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
