"""Docs/papers.md: every file, test, setting and script that it names exists."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from MedSegFMLib.commands.line import parser_of

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "Docs" / "papers.md"
TABLE = re.compile(r"^\|(.+)\|(.+)\|(.+)\|(.+)\|$", re.MULTILINE)
ROWS = [
    row
    for row in TABLE.findall(PAGE.read_text(encoding="utf-8"))
    if not set(row[0]) <= set("- ") and row[0].strip() != "claim"
]


def test_there_is_a_table_for_each_paper() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for paper in ("ENSAM", "Cross-plane", "SAM3D", "Medical SAM3", "CVPR 2025"):
        assert re.search(rf"^## .*{paper}", text, re.MULTILINE), paper
    assert len(ROWS) > 40


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0].strip()[:40])
def test_a_claim_leads_into_the_code_or_is_said_to_be_missing(row: tuple[str, ...]) -> None:
    claim, place, verdict, shown = (cell.strip() for cell in row)
    links = re.findall(r"\]\(([^)#]+)(?:#[\w-]+)?\)", place)
    for link in links:
        assert (PAGE.parent / link).is_file(), f"{claim}: {link}"
    assert links or re.search("missing|not applicable", verdict, re.IGNORECASE), claim
    for command in re.findall(r"`([^`]+)`", shown):
        check_command(command)


def check_command(command: str) -> None:
    words = shlex.split(command)
    if words[0] == "TEST":
        path = ROOT / words[1]
        names = re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
        wanted = words[words.index("-k") + 1] if "-k" in words else ""
        assert any(wanted in name for name in names), command
    elif words[0] == "RUN":
        # The arguments are checked with those of all documents in test_benchmarks.py.
        assert (ROOT / words[1]).is_file(), command
    else:
        assert words[0] == "medsegfm"
        parser_of(words[1:]).parse_args(words[1:])
