"""review.html: the pictures of a batch, the least sure case first, in one page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..system.atomic_files import write_text
from .records import FailedCase, ObjectRow, SliceRow
from .results_folder import picture_name

PAGE = "review.html"
_MOST_SLICES = 3


def write_page(
    folder: Path,
    rows: Sequence[ObjectRow],
    slices: Sequence[SliceRow],
    failures: Sequence[FailedCase],
) -> None:
    """Write the page beside the pictures that it shows.

    Args:
        folder: the folder of the batch.
        rows: the objects, in their order.
        slices: their slices, in their order.
        failures: the cases that failed.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("MedSegFMLib.batch", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cases = [
        {
            "name": case,
            "picture": name if (folder / (name := picture_name(case))).is_file() else "",
            "objects": [_texts(row, slices) for row in rows if row.case == case],
            "output": next(row.output for row in rows if row.case == case),
        }
        for case in dict.fromkeys(row.case for row in rows)
    ]
    template = environment.get_template("review.html.jinja")
    write_text(folder / PAGE, template.render(cases=cases, failures=failures))


def _texts(row: ObjectRow, slices: Sequence[SliceRow]) -> dict[str, str]:
    own = [
        str(item.slice)
        for item in slices
        if (item.case, item.object, item.frame) == (row.case, row.object, row.frame)
    ]
    return {
        "name": row.title,
        "model": row.model,
        "ml": f"{row.ml:.2f}",
        "expected": row.expected_text,
        "bound": row.bound_text,
        "wrong_ml": f"{row.wrong_ml:.2f}",
        "slices": ", ".join(own[:_MOST_SLICES]),
        "notes": row.notes,
    }
