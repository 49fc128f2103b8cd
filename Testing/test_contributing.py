"""The step lists for contributors name files that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
# Where a path in backticks may begin: most are named from the root, the rest from these.
FOLDERS = ("", "MedSegFMLib/models", "MedSegFMLib/evaluate", "MedSegFM/MedSegFMPanel")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    paths = re.findall(r"`([\w.]+/[\w./-]*|[\w-]+\.(?:py|md|toml|json|ui))`", text)
    paths += [link for link in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in link]
    named = {path for path in paths if "NAME" not in path}
    missing = {
        path for path in named if not any((ROOT / folder / path).exists() for folder in FOLDERS)
    }
    assert missing == set()


def test_every_name_in_code_that_contributing_points_to_is_there() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    code = "\n".join(
        path.read_text(encoding="utf-8")
        for folder in ("MedSegFMLib", "MedSegFM")
        for path in (ROOT / folder).rglob("*.py")
    )
    # Constants and private names; other words in backticks may be values or shell commands.
    named = set(re.findall(r"`(_?[A-Z][A-Z_]{3,}|_\w+)`", text))
    assert {name for name in named if not re.search(rf"\b{name}\b", code)} == set()
