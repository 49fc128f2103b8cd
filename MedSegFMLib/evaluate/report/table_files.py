"""tables.csv, tables.tex and tables.md: the tables in files."""

from __future__ import annotations

import csv
import io
import itertools
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path

from ...system.atomic_files import write_text
from ...system.csv_cells import escaped
from .case_scores import SCORES
from .summary import Group, Summary
from .table import Cell, Table
from .tables import tables

_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": "$-$",
    "–": "--",
    "∞": r"$\infty$",
    # After the end of a line these would be parsed as its options.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}
# The most rows that fit on a page.
_PAGE_ROWS = 40
# Letters in a line of a cell.
_HEADER_WIDTH = 13
_WORDS_WIDTH = 34
_INTERVAL_WIDTH = 18


def write_tables(summary: Summary, folder: Path) -> None:
    """Write tables.csv (numbers only), tables.tex and tables.md into a folder."""
    built = tables(summary)
    write_text(folder / "tables.csv", _csv(summary))
    write_text(folder / "tables.tex", as_latex(built))
    write_text(folder / "tables.md", as_markdown(built))


def _csv(summary: Summary) -> str:
    """A row for each model overall, and for each modality and object, with every score."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    columns = [column for score in SCORES for column in (score, f"{score}_low", f"{score}_high")]
    writer.writerow(["scope", "name", "model", "cases", *columns])
    for model in summary.models.values():
        writer.writerow(["all", "", *_csv_cells(model)])
    for scope, groups in (("modality", summary.modalities), ("object", summary.objects)):
        for name, models in groups.items():
            writer.writerows([scope, escaped(name), *_csv_cells(group)] for group in models)
    return text.getvalue()


def _csv_cells(group: Group) -> list[str]:
    numbers = [
        number for score in SCORES for number in (group.means[score], *group.intervals[score])
    ]
    # Unknown numbers stay empty, which every program reads as missing.
    cells = ["" if number != number else f"{number:.6g}" for number in numbers]
    return [escaped(group.model), str(group.n), *cells]


def as_latex(built: Sequence[Table]) -> str:
    """Tables for \\input in a document with the packages booktabs and longtable."""
    head = "% Needs \\usepackage{booktabs} and, for tables longer than a page, {longtable}.\n"
    return head + "\n".join(map(_latex_table, built))


def _latex_table(table: Table) -> str:
    sides = "l" * table.text_columns + "r" * (len(table.header) - table.text_columns)
    header = _latex_row([_wrapped(heading, _HEADER_WIDTH) for heading in table.header])
    caption = f"\\caption{{{escape_latex(table.caption)}}}\\label{{tab:{table.name}}}"
    width = _WORDS_WIDTH // table.text_columns
    body = "\n".join(
        _latex_row(
            [_wrapped(cell.text, width) for cell in row[: table.text_columns]]
            + [_number_lines(cell) for cell in row[table.text_columns :]]
        )
        for row in table.rows
    )
    size = r"\footnotesize\setlength{\tabcolsep}{3pt}"
    if len(table.rows) > _PAGE_ROWS:
        head = ["{", size, rf"\begin{{longtable}}{{{sides}}}", caption + r"\\", r"\toprule", header]
        turn = [r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot"]
        return "\n".join([*head, *turn, body, r"\end{longtable}", "}", ""])
    head = [r"\begin{table}", r"\centering", size, caption, r"\medskip"]
    head.append(rf"\begin{{tabular}}{{{sides}}}")
    end = [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join([*head, r"\toprule", header, r"\midrule", body, *end])


def _latex_row(cells: Sequence[Sequence[str]]) -> str:
    """A row whose cells may have several lines, without page breaks between them."""
    lines = [" & ".join(line) for line in itertools.zip_longest(*cells, fillvalue="")]
    row = "\\\\*\n".join(lines) + r" \\"
    return f"{row}\n\\addlinespace" if len(lines) > 1 else row


def _wrapped(text: str, width: int) -> list[str]:
    return [escape_latex(line) for line in textwrap.wrap(text, width)]


def _number_lines(cell: Cell) -> list[str]:
    text = escape_latex(cell.text)
    lines = [rf"\textbf{{{text}}}" if cell.best else text]
    below = textwrap.wrap(f"[{cell.interval}]", _INTERVAL_WIDTH) if cell.interval else []
    return [*lines, *(rf"\scriptsize {escape_latex(line)}" for line in below)]


def escape_latex(text: str) -> str:
    """Text escaped for LaTeX, on one line."""
    return "".join(_TEX.get(character, character) for character in " ".join(text.split()))


def as_markdown(built: Sequence[Table]) -> str:
    """Tables in GitHub's Markdown, each with its caption above it."""
    parts = []
    for table in built:
        aligned = ["---"] * table.text_columns + ["--:"] * (len(table.header) - table.text_columns)
        lines = [[escape_markdown(heading) for heading in table.header], aligned]
        lines += [[_markdown_cell(cell) for cell in row] for row in table.rows]
        rows = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        parts.append(f"{escape_markdown(table.caption)}\n\n{rows}\n")
    return "\n".join(parts)


def _markdown_cell(cell: Cell) -> str:
    text = escape_markdown(cell.text)
    if cell.best:
        text = f"**{text}**"
    return f"{text} [{escape_markdown(cell.interval)}]" if cell.interval else text


def escape_markdown(text: str) -> str:
    """Text escaped for Markdown, on one line; a _ within a word needs no escape."""
    plain = re.sub(r"([\\|*`<>\[\]#~&$])", r"\\\1", " ".join(text.split()))
    return re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", plain)
