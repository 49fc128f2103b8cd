"""The page's own files: the panel's words, contrast, and nothing that is loaded from elsewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from MedSegFMLib.browser import page_files

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "MedSegFMLib" / "browser" / "page"
# WCAG 2.2 AA: text, and the edges of controls.
TEXT, EDGE = 4.5, 3.0


def test_the_page_has_the_words_of_the_panel() -> None:
    found = runpy.run_path(str(ROOT / "tools" / "panel_texts"))["panel_texts"]()
    known = (ROOT / "MedSegFMLib" / "browser" / "panel_texts.json").read_text(encoding="utf-8")
    assert known == found, "the panel has changed; run tools/panel_texts"


def test_sections_are_those_of_the_panel_in_its_order() -> None:
    html = page_files.render("workstation")
    shown = re.findall(r'<details class="section" id="(\w+)"', html)
    panel = (ROOT / "MedSegFM" / "Resources" / "UI" / "MedSegFM.ui").read_text(encoding="utf-8")
    places = [panel.index(f'name="{name}"') for name in shown if name != "logSection"]
    assert len(places) == 6
    assert places == sorted(places)


def test_every_control_has_a_name_for_those_who_do_not_see_it() -> None:
    html = page_files.render("workstation")
    labelled = set(re.findall(r'<label[^>]* for="(\w+)"', html))
    inside = set(re.findall(r'<label[^>]*>\s*<input[^>]* id="(\w+)"', html))
    for tag in re.findall(r"<(?:input|select|progress)[^>]*>", html):
        name = re.search(r' id="(\w+)"', tag)
        assert name is not None
        has_name = "aria-label" in tag or name.group(1) in labelled | inside or "hidden" in tag
        assert has_name, tag
    for tag, text in re.findall(r"<button([^>]*)>(.*?)</button>", html, re.DOTALL):
        assert text.strip() or "aria-label" in tag, tag


def test_each_key_belongs_to_one_button() -> None:
    keys = re.findall(r'aria-keyshortcuts="([^"]+)"', page_files.render("workstation"))
    assert len(keys) == len(set(keys)) > 15


def _themes() -> dict[str, dict[str, str]]:
    css = (PAGE / "theme.css").read_text(encoding="utf-8")
    blocks = re.findall(r"(:root[^{]*)\{([^}]*)\}", css)
    colors = [dict(re.findall(r"--([\w-]+): (#\w{6})", body)) for _, body in blocks]
    light, *dark = colors
    assert all(each == dark[0] for each in dark), "both ways to the dark theme are the same"
    return {"light": light, "dark": light | dark[0]}


def _luminance(color: str) -> float:
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first: str, second: str) -> float:
    """The contrast of WCAG, 1 to 21."""
    high, low = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_measured_as_wcag_does() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(
    ("text", "background", "least"),
    [
        ("text", "panel", TEXT),
        ("text", "page", TEXT),
        ("text", "chosen", TEXT),
        ("text", "hover", TEXT),
        ("quiet", "panel", TEXT),
        ("quiet", "chosen", TEXT),
        ("error", "panel", TEXT),
        ("on-accent", "accent", TEXT),
        ("accent", "panel", EDGE),
        ("edge", "panel", EDGE),
        ("focus", "panel", EDGE),
    ],
)
def test_text_and_controls_can_be_seen(
    theme: str, text: str, background: str, least: float
) -> None:
    colors = _themes()[theme]
    assert contrast(colors[text], colors[background]) >= least


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in PAGE.iterdir():
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/", "")
        assert not re.search(r"https?://|//cdn|@import", text), path.name
