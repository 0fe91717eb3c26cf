# Copyright (c) 2026, the selfhost.langgraph authors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx settings of the documentation site. `make docs` builds it, from these pages and generated ones."""

from __future__ import annotations

import re
from pathlib import Path

_GALAXY = (Path(__file__).parents[1] / "galaxy.yml").read_text(encoding="utf-8")


def _from_galaxy(key: str) -> str:
    found = re.search(rf"^{key}: (.*)$", _GALAXY, re.MULTILINE)
    return found[1] if found else ""


project = "selfhost.langgraph"
author = "the selfhost.langgraph authors"
copyright = f"2026, {author}, GPL-3.0-or-later"
version = release = _from_galaxy("version")
language = "en"

# Nothing is downloaded: tests/tools/docs_pages.py creates the only inventory, fonts and scripts are part of the theme.
extensions = ["myst_parser", "sphinx.ext.intersphinx", "sphinx_antsibull_ext"]
_INVENTORY = str(Path(__file__).parents[1] / "build/docs/ansible.inv")
intersphinx_mapping = {"ansible": ("https://docs.ansible.com/ansible/latest/", _INVENTORY)}
nitpicky = True
# The vendor documents the server's variables.
nitpick_ignore_regex = [("envvar", ".*")]
highlight_language = "yaml"
smartquotes = False
myst_heading_anchors = 3

html_theme = "furo"
html_title = f"selfhost.langgraph {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
