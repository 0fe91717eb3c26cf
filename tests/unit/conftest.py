# Copyright (c) 2026, the selfhost.langgraph authors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How property tests look for examples: the same ones each time, or, with --hypothesis-profile=search, many at random."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A machine that is busy is no failure.
PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("gate", PATIENT, derandomize=True, max_examples=200)
settings.register_profile("search", PATIENT, max_examples=20_000, print_blob=True)
settings.load_profile("gate")
