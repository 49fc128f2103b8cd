"""Every answer in the guide to data is held by a test."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_every_row_of_the_guide_to_data_names_a_test_that_is_there() -> None:
    guide = (ROOT / "Docs" / "data.md").read_text(encoding="utf-8")
    rows = [line for line in guide.splitlines() if line.startswith("|") and "test_" in line]
    code = "\n".join(p.read_text(encoding="utf-8") for p in (ROOT / "Testing").rglob("test_*.py"))
    tests = set(re.findall(r"^def (test_\w+)\(", code, re.MULTILINE))
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named and set(named) <= tests, row
