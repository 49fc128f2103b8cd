"""The report of an evaluation: report.html, its tables in other formats, summary.json."""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from evaluate_reports import EIGHT, RNG, html_of, written
from evaluate_rows import rows_of, steps_of
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.records import Row
from MedSegFMLib.evaluate.report import html_report, report_pictures
from MedSegFMLib.evaluate.report.table_files import escape_latex, escape_markdown
from MedSegFMLib.evaluate.results.case_picture import picture_name
from MedSegFMLib.evaluate.results.run_log import read_runs
from MedSegFMLib.tasks.records import Failure

UGLY = '<b>&_%$#{x}~^\\|*[1] "q" `c`'


class Page(HTMLParser):
    """A page with what it holds: elements, texts, and whether all that is opened is closed."""

    VOID = frozenset({"meta", "img", "br", "path", "use", "rect", "image"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def values(self, tag: str, attribute: str) -> list[str | None]:
        return [held.get(attribute) for name, held in self.elements if name == tag]


def test_the_report_has_every_part_and_needs_nothing_else(tmp_path: Path) -> None:
    written(tmp_path, rows_of(EIGHT))
    html = html_of(tmp_path)
    page = Page(html)
    assert page.open == [] and page.values("table", "id")
    headings = [text for text in page.texts if text.startswith(("Models", "Pairwise", "Ranking"))]
    assert {"Models", "Pairwise tests", "Ranking and its stability"} <= set(headings)
    assert not any(name in ("script", "link", "iframe") for name, _ in page.elements)
    places = [v for tag in ("img", "use", "image") for v in page.values(tag, "src")]
    assert all(v is None or v.startswith("data:") for v in places)
    assert html.count('<svg role="img" aria-label="') == 3
    for words in ("medsegfm evaluate x.json", "Some processor", "Some GPU", "numpy 2.0", "Holm"):
        assert words in html
    inside = set(page.values("a", "href"))
    assert inside == {f"#{v}" for v in page.values("h2", "id") if v}


def test_names_within_the_page_are_single(tmp_path: Path) -> None:
    protocol = Protocol(target_dice=0.5)
    written(tmp_path, rows_of(EIGHT), protocol=protocol)
    page = Page(html_of(tmp_path))
    names = Counter(held["id"] for _, held in page.elements if "id" in held)
    assert [name for name, times in names.items() if times > 1] == []
    used = {str(held["xlink:href"])[1:] for _, held in page.elements if "xlink:href" in held}
    assert used <= set(names)


def test_tables_are_headed_and_pictures_told_in_words(tmp_path: Path) -> None:
    rows = rows_of(EIGHT)
    (tmp_path / "pictures").mkdir()
    for key in {row.key for row in rows}:
        (tmp_path / "pictures" / picture_name(key)).write_bytes(b"jpeg")
    written(tmp_path, rows)
    page = Page(html_of(tmp_path))
    tables = sum(name == "table" for name, _ in page.elements)
    assert tables == sum(name == "caption" for name, _ in page.elements) > 6
    assert set(page.values("th", "scope")) == {"col", "row"}
    assert all("three planes" in str(words) for words in page.values("img", "alt"))
    # Five of each model as its worst, and all others with their cases, each once.
    assert len(page.values("img", "src")) == 3 * 8


def test_the_five_worst_cases_come_worst_first(tmp_path: Path) -> None:
    rows = rows_of({"a": [0.9, 0.1, 0.8, 0.3, 0.7, 0.2, 0.6]})
    rows += steps_of("a", "case 0", 0.05, object="nodule")
    summary = written(tmp_path, rows)
    album = report_pictures.open_album(summary, rows, tmp_path)
    assert [case.key[0] for case in album.worst["a"]] == [f"case {n}" for n in (1, 5, 3, 0, 6)]
    assert (album.worst["a"][3].object, album.worst["a"][3].object_dsc) == ("nodule", 0.05)


def test_pictures_that_do_not_fit_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = rows_of({"a": [n / 10 for n in range(1, 9)]})
    (tmp_path / "pictures").mkdir()
    for key in {row.key for row in rows}:
        (tmp_path / "pictures" / picture_name(key)).write_bytes(b"x" * 300)
    monkeypatch.setattr(report_pictures, "MOST_BYTES", 6 * 400)
    written(tmp_path, rows)
    html = html_of(tmp_path)
    assert html.count("data:image/jpeg") == 6
    assert "2 pictures are left out" in html


def test_a_large_run_leaves_its_steps_to_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(html_report, "_MOST_STEPS", 10)
    written(tmp_path, rows_of(EIGHT))
    assert "The 144 steps of all objects are in results.csv" in html_of(tmp_path)
    assert "<details>" not in html_of(tmp_path)


def test_one_case_and_one_model_make_a_report_that_says_what_it_lacks(tmp_path: Path) -> None:
    written(tmp_path, rows_of({"a": [0.5]}))
    html = html_of(tmp_path)
    assert "There is one model" in html and "it takes two models and 6 cases" in html
    assert "1 case, 1 model. Protocol" in html
    document = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert document["a"]["intervals"]["dsc_final"] == [None, None]
    assert document["a"]["against"] == document["a"]["places"] == {}


def test_equal_models_are_both_the_best_and_not_tested(tmp_path: Path) -> None:
    written(tmp_path, rows_of({"a": [0.5] * 7, "b": [0.5] * 7}))
    assert "the models differ in 0 cases" in html_of(tmp_path)
    first = (tmp_path / "tables.md").read_text(encoding="utf-8").splitlines()[2:6]
    assert [line.count("**0.500**") for line in first[2:]] == [2, 2]


def test_nothing_is_the_best_of_a_few_cases(tmp_path: Path) -> None:
    written(tmp_path, rows_of({"a": [0.5] * 5, "b": [0.9] * 5}))
    assert "**" not in (tmp_path / "tables.md").read_text(encoding="utf-8")
    assert r"\textbf" not in (tmp_path / "tables.tex").read_text(encoding="utf-8")


def test_a_model_that_left_cases_out_is_not_called_the_best(tmp_path: Path) -> None:
    written(tmp_path, rows_of({"a": [0.5] * 8, "b": [0.9] * 7}))
    assert "**" not in (tmp_path / "tables.md").read_text(encoding="utf-8")


def test_fewer_than_five_steps_have_no_area(tmp_path: Path) -> None:
    rows = [row for row in rows_of(EIGHT) if row.step < 3]
    written(tmp_path, rows, protocol=Protocol(clicks=2))
    document = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert document["ensam"]["dsc_auc"] is None and document["ensam"]["dsc_final"] is not None
    assert set(document["ensam"]["against"]["randomwalk"]) == {"dsc_final", "nsd_final"}


def test_what_failed_is_listed_with_its_reason(tmp_path: Path) -> None:
    rows = rows_of(EIGHT)
    rows += steps_of("ensam", "case 0", 0, object="spleen", failed="It knows no <spleen>.")
    written(tmp_path, rows, Failure("case 9", "randomwalk", 1, "The process died."))
    html = html_of(tmp_path)
    assert "case 9, randomwalk, seed 1: The process died." in html
    assert "case 0, spleen, ensam, seed 0: It knows no &lt;spleen&gt;." in html


def test_a_model_whose_results_all_failed_stands_without_numbers(tmp_path: Path) -> None:
    failed = steps_of("nnunet", "case 0", 0, failed="It knows no liver.")
    summary = written(tmp_path, [*rows_of(EIGHT), *failed])
    assert list(summary.models) == [*EIGHT, "nnunet"] and summary.models["nnunet"].n == 0
    written(tmp_path, failed)
    page = Page(html_of(tmp_path))
    assert page.open == [] and "case 0, liver, nnunet, seed 0: It knows no liver." in page.texts
    assert "No case has a result that counts." in page.texts and "curves" not in html_of(tmp_path)


def ugly_rows() -> list[Row]:
    return [
        row
        for model in (UGLY, "_plain_")
        for n in range(7)
        for row in steps_of(
            model, f"{UGLY} {n}", float(RNG.random()), object=UGLY, modality=f"CT {UGLY}"
        )
    ]


def test_names_of_any_letters_stand_as_they_are_in_html(tmp_path: Path) -> None:
    written(tmp_path, ugly_rows())
    page = Page(html_of(tmp_path))
    assert page.open == [] and "b" in {name for name, _ in page.elements}
    assert f"{UGLY} 3" in page.texts and UGLY in page.texts
    # The report's own bold letters alone: none came out of a name.
    bold = re.findall(r"<b>(.*?)</b>", html_of(tmp_path))
    assert bold and all(words.startswith("&lt;b&gt;") for words in bold)


def test_special_letters_are_escaped_in_latex() -> None:
    assert escape_latex("a_b & 5 % < #1 {x}\n$y$") == (r"a\_b \& 5 \% \textless{} \#1 \{x\} \$y\$")
    assert escape_latex("[1]* ~^\\") == (
        r"{[}1{]}{*} \textasciitilde{}\textasciicircum{}\textbackslash{}"
    )


def test_special_letters_are_escaped_in_markdown() -> None:
    assert escape_markdown("a_b | *c* <d>\n_e_") == r"a_b \| \*c\* \<d\> \_e\_"


def columns(line: str) -> int:
    return len(re.findall(r"(?<!\\)&", line)) + 1


def test_rows_of_latex_tables_have_as_many_cells_as_the_table(tmp_path: Path) -> None:
    written(tmp_path, ugly_rows())
    text = (tmp_path / "tables.tex").read_text(encoding="utf-8")
    tables = re.findall(
        r"\\begin\{(tabular|longtable)\}\{([lr]+)\}(.*?)\\end\{\1\}", text, flags=re.DOTALL
    )
    assert len(tables) == text.count(r"\caption") == 6
    for _, sides, body in tables:
        rows = [line for line in body.splitlines() if line.endswith(("\\\\", "\\\\*"))]
        assert rows and {columns(line) for line in rows if "caption" not in line} == {len(sides)}
    assert text.count("{") == text.count("}")


def test_tables_in_markdown_have_whole_rows(tmp_path: Path) -> None:
    written(tmp_path, ugly_rows())
    widths = []
    for block in (tmp_path / "tables.md").read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        widths += [{len(re.findall(r"(?<!\\)\|", line)) for line in lines}] if lines else []
    assert len(widths) == 6 and all(len(width) == 1 for width in widths)


def test_the_csv_holds_the_numbers_of_the_summary(tmp_path: Path) -> None:
    summary = written(tmp_path, rows_of(EIGHT))
    with (tmp_path / "tables.csv").open(encoding="utf-8", newline="") as stream:
        lines = list(csv.DictReader(stream))
    assert [(line["scope"], line["name"]) for line in lines[::3]] == [
        ("all", ""),
        ("modality", "CT"),
        ("object", "liver"),
    ]
    group = summary.models["ensam"]
    assert float(lines[0]["dsc_final"]) == pytest.approx(group.means["dsc_final"], rel=1e-5)
    assert float(lines[0]["nsd_auc_high"]) == pytest.approx(group.intervals["nsd_auc"][1], rel=1e-5)


def test_two_hundred_objects_get_their_rows(tmp_path: Path) -> None:
    rows = [
        row
        for model in ("a", "b")
        for n in range(200)
        for row in steps_of(model, f"case {n % 7}", 0.5 + n / 500, object=f"object {n}")
    ]
    written(tmp_path, rows)
    assert html_of(tmp_path).count('<th scope="row" class="text">object 199</th>') == 2 + 2 * 6
    text = (tmp_path / "tables.tex").read_text(encoding="utf-8")
    assert text.count(r"\begin{longtable}") == 1 and text.count("object 199") == 2


def test_the_command_leaves_all_of_it_in_the_folder(tmp_path: Path) -> None:
    entries = []
    for n in range(2):
        volume, mask = make_blob(Geometry.from_spacing((12, 14, 16), (1, 1, 1)), seed=n)
        volume.write(tmp_path / f"{n}.nrrd")
        Volume(mask.astype(np.uint8), volume.geometry).write(tmp_path / f"{n}-label.nrrd")
        files = {"image": f"{n}.nrrd", "label": f"{n}-label.nrrd"}
        entries.append({"name": f"{n}", **files, "modality": "MR", "objects": {"1": "ball"}})
    (tmp_path / "cases.json").write_text(json.dumps({"cases": entries}))
    out = tmp_path / "a folder"
    words = ["--models", "ellipsoid", "--jobs", 1, "--clicks", 1, "--out", out]
    assert run("evaluate", tmp_path / "cases.json", *words) == 0
    assert run("evaluate", tmp_path / "cases.json", *words) == 0
    names = {"report.html", "summary.json", "tables.csv", "tables.md", "tables.tex", "runs.json"}
    assert names <= {path.name for path in out.iterdir()}
    assert [record.done for record in read_runs(out)] == [2, 0]
    command = read_runs(out)[0].command
    assert command.startswith("medsegfm evaluate ") and command.endswith("a folder'")
    assert math.isclose(
        json.loads((out / "summary.json").read_text(encoding="utf-8"))["ellipsoid"]["n"], 2
    )
    # Nothing is computed for a folder whose record is damaged.
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    (damaged / "runs.json").write_text("[1]")
    assert run("evaluate", tmp_path / "cases.json", *words[:-1], damaged) == 2
    assert [path.name for path in damaged.iterdir()] == ["runs.json"]
