"""The plot of a search: each score over the values of the searched setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ...system.atomic_files import atomic_path

_PANEL_INCHES = (3.2, 2.8)


def draw_scores(
    path: Path, setting: str, points: Sequence[tuple[str, Mapping[str, float]]]
) -> None:
    """Draw a panel for each score; nothing without matplotlib.

    Args:
        path: The picture.
        setting: The name of the searched setting.
        points: Its values as typed, and the scores by name. Values that are numbers are placed by
            size, others side by side.

    Raises:
        OutputError: The picture cannot be written.
    """
    from ..run_log import can_draw

    if not can_draw():
        return
    from matplotlib.figure import Figure

    names = list(points[0][1])
    figure = Figure(figsize=(_PANEL_INCHES[0] * len(names), _PANEL_INCHES[1]), layout="constrained")
    places, labels = _places([value for value, _ in points])
    order = sorted(range(len(points)), key=places.__getitem__)
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        scores = [points[n][1][name] for n in order]
        axes.plot([places[n] for n in order], scores, marker="o", color="tab:blue")
        axes.set_xticks(places, labels)
        axes.set_xlabel(setting)
        axes.set_title(name)
        axes.grid(alpha=0.3)
    with atomic_path(path) as beside:
        figure.savefig(beside, dpi=120, format="png")


def _places(values: Sequence[str]) -> tuple[list[float], list[str]]:
    try:
        return [float(value) for value in values], list(values)
    except ValueError:
        return [float(n) for n in range(len(values))], list(values)
