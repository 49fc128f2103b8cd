"""What the guides point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "Docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_link_to_a_file_leads_to_it(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_every_script_a_page_names_is_there(page: Path) -> None:
    named = re.findall(r"Testing/[\w/]+\.py", page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_screenshot_is_shown_and_none_is_called_slicers() -> None:
    shown = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    names = [path.name for path in (ROOT / "Resources/Screenshots").glob("*.png")]
    assert [name for name in names if f"Screenshots/{name})" not in shown] == []
    captions = re.findall(r"!\[([^\]]*)\]\(([^)]*Screenshots[^)]*)\)", shown)
    assert [name for words in captions for name in words if "slicer" in name.lower()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_a_page_credits_the_images_in_its_pictures(page: Path) -> None:
    from host.picture_subjects import CREDITS

    text = page.read_text(encoding="utf-8")
    for source, pictures in CREDITS.items():
        if any(f"Screenshots/{name}" in text for name in pictures):
            assert source.doi in text and source.licence in text


def test_pictures_show_the_phantom_where_the_real_images_are_absent(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from host import picture_subjects

    monkeypatch.setattr(picture_subjects, "_DATA", tmp_path)
    for subject in (picture_subjects.abdomen(), picture_subjects.tumour()):
        assert subject.source is None and subject.expert_kji.any()
        assert "liver" in subject.boxes
