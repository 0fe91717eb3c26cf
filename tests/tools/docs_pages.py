# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the site's generated pages, besides docs/ and the reference: variables, options, promises, and Ansible's inventory.

usage: docs_pages.py DIRECTORY   (which already contains the reference, in reference/)
"""

from __future__ import annotations

import json
import re
import sys
import typing as t
import zlib
from pathlib import Path

import yaml
from antsibull_docs_parser import dom
from antsibull_docs_parser.parser import Context, parse
from antsibull_docs_parser.rst import rst_escape, to_rst

ROOT = Path(__file__).parents[2]
COLLECTION = "selfhost.langgraph"
# The order of the roles in site.yml; other roles follow.
ORDER = ("langgraph", "docker", "redis", "postgres", "proxy")
# The labels in Ansible's own documentation that the reference uses, so that the build downloads no inventory.
ANSIBLE = {
    "action_plugins": "plugins/action.html#action-plugins",
    "ansible_configuration_settings": "reference_appendices/config.html#ansible-configuration-settings",
    "common_return_values": "reference_appendices/common_return_values.html#common-return-values",
}
# The theme has a table of contents next to each page.
CONTENTS = re.compile(r"^\.\. contents::\n(?:   :.*\n)+", re.MULTILINE)
KINDS = {"str": "string", "int": "number", "float": "number", "bool": "true or false", "dict": "mapping"}
HEAD = """\
.. Copyright (c) 2026, the selfhost.langgraph authors
   SPDX-License-Identifier: GPL-3.0-or-later

"""
VARIABLES = """\
Variables
=========

All variables of all roles, generated from their argument specs. The last sentences of each description state the effect of a
later change; a change that creates a new revision interrupts nothing (:doc:`upgrades`).

The options of an entry of ``langgraph_deployments`` are on a separate page, :doc:`options`.
"""
OPTIONS = """\
Options of a deployment
=======================

The options of an entry of ``langgraph_deployments``. The last sentences of each description state the effect of a later
change; a change that creates a new revision interrupts nothing (:doc:`upgrades`).

.. code-block:: yaml

   langgraph_deployments:
     - name: support-bot
       image: support-bot:1.4.2
       port: 8123
       langsmith_api_key: "{{ vault_langsmith_api_key }}"
       env: {OPENAI_API_KEY: "{{ vault_openai_api_key }}"}

"""

PROMISES = """\
Promises
========

The promises of the README and the :doc:`security model <security>`, sentence by sentence, with the tests that verify them. At
least one test of each promise runs in every gate (:doc:`testing`). Sentences that only describe, assume or exclude something are
not listed here; ``tests/promises.yml`` has them with the reason.

"""


def paragraphs(description: str | list[str], plugin: dom.PluginIdentifier) -> str:
    """Return the sentences of an option, with its links."""
    texts = [description] if isinstance(description, str) else description
    entry_point = "main" if plugin.type == "role" else None
    parsed = parse(texts, Context(current_plugin=plugin, role_entrypoint=entry_point), errors="exception")
    return to_rst(parsed, current_plugin=plugin)


def default_of(option: dict[str, t.Any], computed: bool) -> str:
    """Return its default in a few words; the description explains computed defaults."""
    if option.get("required"):
        return "required"
    if "default" in option:
        value = option["default"]
        return f"default ``{value if isinstance(value, str) and value else json.dumps(value)}``"
    return "default computed" if computed else "no default"


def facts(option: dict[str, t.Any], computed: bool) -> str:
    """Return type, choices and default, on one line."""
    kind = KINDS.get(option.get("type", "str"), option.get("type", "str"))
    elements = option.get("elements")
    of = f" of {KINDS.get(elements, elements)}s" if elements not in (None, "raw") else ""
    choices = ", ".join(f"``{choice}``" for choice in option.get("choices", ()))
    parts = [f"{kind}{of}", *([f"one of {choices}"] if choices else []), default_of(option, computed)]
    return " · ".join(parts)


def block(
    name: str, option: dict[str, t.Any], plugin: dom.PluginIdentifier, mark: str, computed: bool
) -> t.Iterator[str]:
    """Yield the lines of one variable: a heading, its facts, its description, and the options of its entries."""
    yield f"{rst_escape(name)}\n{mark * (len(rst_escape(name)))}\n"
    yield f"{facts(option, computed)}\n"
    yield f"{paragraphs(option['description'], plugin)}\n"
    for inner, suboption in option.get("options", {}).items():
        text = paragraphs(suboption["description"], plugin).replace("\n", "\n  ")
        yield f"``{inner}`` ({facts(suboption, False)})\n  {text}\n"


def roles() -> list[str]:
    """Return all roles, those of ORDER first."""
    found = sorted(path.parents[1].name for path in ROOT.glob("roles/*/meta/argument_specs.yml"))
    return [name for name in ORDER if name in found] + [name for name in found if name not in ORDER]


def variables() -> t.Iterator[str]:
    """Yield the page of the roles' variables."""
    yield HEAD + VARIABLES
    for role in roles():
        specs = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text(encoding="utf-8"))
        defaults = ROOT / f"roles/{role}/defaults/main.yml"
        given = (yaml.safe_load(defaults.read_text(encoding="utf-8")) if defaults.exists() else None) or {}
        main = specs["argument_specs"]["main"]
        plugin = dom.PluginIdentifier(f"{COLLECTION}.{role}", "role")
        yield f"Role {role}\n{'-' * (5 + len(role))}\n"
        yield f"{paragraphs(main['short_description'], plugin)}. :ref:`In the reference <ansible_collections.{COLLECTION}.{role}_role>`.\n"
        for name, option in main.get("options", {}).items():
            yield from block(name, option, plugin, "~", given.get(name) is not None)


def options() -> t.Iterator[str]:
    """Yield the page of a deployment's options."""
    sys.path.insert(0, str(ROOT / "plugins/doc_fragments"))
    from _deployment import ModuleDocFragment

    fragment = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)
    plugin = dom.PluginIdentifier(f"{COLLECTION}.deployment_check", "module")
    yield HEAD + OPTIONS
    for name, option in fragment["options"]["deployments"]["suboptions"].items():
        yield from block(name, option, plugin, "-", False)


def promises() -> t.Iterator[str]:
    """Yield the page of the promises in the README and the security model, with the tests that verify them."""
    yield HEAD + PROMISES
    for page, entries in yaml.safe_load((ROOT / "tests/promises.yml").read_text(encoding="utf-8")).items():
        yield f"{page}\n{'-' * len(page)}\n"
        for entry in entries:
            if "held_by" in entry:
                # Its links are relative to another page, and the bars belong to a table.
                text = (
                    re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", entry["says"])
                    .strip("| ")
                    .replace("`", "")
                    .replace("**", "")
                )
                yield f"- {rst_escape(text)}\n"
                yield "".join(f"  - ``{test}``\n" for test in entry["held_by"])


def collection_labels(reference: Path) -> dict[str, str]:
    """Return the labels of modules and plugins of other collections that the reference uses, with their locations."""
    text = "".join(path.read_text(encoding="utf-8") for path in reference.glob("*.rst"))
    labels = {}
    for label in re.findall(r"<(ansible_collections\.[a-z0-9_.]+)>", text):
        _root, namespace, name, page = label.split(".", 3)
        if f"{namespace}.{name}" != COLLECTION:
            anchor = label.replace(".", "-").replace("_", "-")
            labels[label] = f"collections/{namespace}/{name}/{page}.html#{anchor}"
    return labels


def short(index: str) -> str:
    """Return the reference's first page with titles that fit into the navigation."""
    index = re.sub(r"^Selfhost\.Langgraph\n=+$", "Modules and roles\n=================", index, flags=re.MULTILINE)
    return re.sub(r"^    (\w+)_(module|filter|role)$", r"    \1 <\1_\2>", index, flags=re.MULTILINE)


def inventory(labels: dict[str, str]) -> bytes:
    """Return the labels of Ansible's documentation in the format of Sphinx's objects.inv, version 2."""
    head = "# Sphinx inventory version 2\n# Project: Ansible\n# Version: \n# The remainder is compressed by zlib.\n"
    lines = (f"{label} std:label -1 {place} {label.replace('_', ' ')}\n" for label, place in labels.items())
    return head.encode() + zlib.compress("".join(lines).encode())


def main() -> None:
    """Write all pages."""
    if len(sys.argv) != 2:
        sys.exit(f"usage: {Path(sys.argv[0]).name} DIRECTORY")
    directory = Path(sys.argv[1])
    (directory / "variables.rst").write_text("\n".join(variables()), encoding="utf-8")
    (directory / "options.rst").write_text("\n".join(options()), encoding="utf-8")
    (directory / "promises.rst").write_text("\n".join(promises()), encoding="utf-8")
    for path in (directory / "reference").glob("*.rst"):
        path.write_text(CONTENTS.sub("", path.read_text(encoding="utf-8")), encoding="utf-8")
    index = directory / "reference/index.rst"
    index.write_text(short(index.read_text(encoding="utf-8")), encoding="utf-8")
    (directory.parent / "ansible.inv").write_bytes(inventory(ANSIBLE | collection_labels(directory / "reference")))


if __name__ == "__main__":
    main()
