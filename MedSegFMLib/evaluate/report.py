"""report.html: one file with the curves, the tables and a picture of every case."""

from __future__ import annotations

import base64
import io
import platform
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..atomic import write_text
from ..cases import Case
from ..preview import COLOURS
from .picture import picture_name
from .protocol import NSD_TOLERANCE_MM, Protocol
from .records import Failure, Row
from .summary import COLUMNS, summarise

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def write_report(
    rows: Sequence[Row],
    failures: Sequence[Failure],
    cases: Sequence[Case],
    folder: Path,
    protocol: Protocol,
) -> None:
    """Write folder/report.html, self-contained, from the rows and folder/pictures."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("MedSegFMLib.evaluate", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    models = list(dict.fromkeys(row.model for row in rows))
    html = environment.get_template("report.html.jinja").render(
        models=models,
        summary=summarise(rows),
        columns=COLUMNS,
        curves=_curves(rows, models),
        cases=[_case_entry(case, rows, models, folder) for case in cases],
        failures=failures,
        protocol=protocol,
        tolerance_mm=NSD_TOLERANCE_MM,
        made_by=_made_by(),
    )
    write_text(folder / "report.html", html)


def _curves(rows: Sequence[Row], models: Sequence[str]) -> str:
    """An SVG: Dice against clicks, for all cases and for each modality."""
    from matplotlib.figure import Figure

    modalities = list(dict.fromkeys(row.modality for row in rows))
    panels = ["all", *(modalities if len(modalities) > 1 else [])]
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.1 * lines), layout="constrained")
    all_axes = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes, modality in zip(all_axes, panels, strict=False):
        chosen = [row for row in rows if modality in ("all", row.modality)]
        _curve_panel(axes, chosen, models)
        axes.set_title(
            f"{modality} ({len({row.case for row in chosen})} cases)", fontsize=10, parse_math=False
        )
    for axes in all_axes[len(panels) :]:
        axes.set_axis_off()
    text = io.StringIO()
    figure.savefig(text, format="svg")
    return text.getvalue()[text.getvalue().index("<svg") :]


def _curve_panel(axes: Axes, rows: Sequence[Row], models: Sequence[str]) -> None:
    """The mean over cases, and a band from the first to the third quartile."""
    for model, colour in zip(models, _cycle(len(models)), strict=True):
        by_case: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for row in rows:
            if row.model == model:
                by_case[row.case][row.step].append(row.dsc)
        if not by_case:
            continue
        scores = np.array(
            [[np.mean(steps[step]) for step in sorted(steps)] for steps in by_case.values()]
        )
        clicks = np.arange(scores.shape[1])
        low, high = np.percentile(scores, (25, 75), axis=0)
        axes.fill_between(clicks, low, high, color=colour, alpha=0.15, linewidth=0)
        axes.plot(clicks, scores.mean(axis=0), marker="o", color=colour, label=model)
    axes.set_ylim(0, 1)
    axes.set_xlabel("clicks after the first prompt")
    axes.set_ylabel("Dice")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="lower right")


def _cycle(number: int) -> list[str]:
    return [COLOURS[n % len(COLOURS)] for n in range(number)]


def _case_entry(
    case: Case, rows: Sequence[Row], models: Sequence[str], folder: Path
) -> dict[str, Any]:
    own = [row for row in rows if row.case == case.name and row.prompt != "none"]
    pictures = []
    for key in dict.fromkeys(row.key for row in own):
        path = folder / "pictures" / picture_name(key)
        if path.exists():
            pictures.append((key[1], base64.b64encode(path.read_bytes()).decode("ascii")))
    objects = []
    for name in dict.fromkeys(row.object for row in own):
        for model in models:
            steps = [row for row in own if row.object == name and row.model == model]
            if steps:
                objects.append((name, model, steps))
    return {
        "name": case.name,
        "modality": case.modality,
        "resampled": any(row.resampled for row in own),
        "objects": objects,
        "pictures": pictures,
    }


def _made_by() -> str:
    return (
        f"medsegfm {__version__}, Python {platform.python_version()}, "
        f"numpy {np.__version__}, {platform.system()} {platform.machine()}"
    )
