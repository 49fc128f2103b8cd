"""A picture of predictions from text on held-back slices, with the ground truth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ....system.atomic_files import atomic_path

_MOST = 8
_COLUMNS = 4
_INCHES = 2.2
# The ground truth is green; dashes distinguish the prediction from it for colour-blind readers.
_TRUTH, _ANSWER = "#5CFF5C", "#56B4E9"


@dataclass(frozen=True, eq=False)
class SeenSlice:
    """A slice that was scored.

    Attributes:
        image: (3, side, side), the network's input.
        truth: bool, (h, h), the object.
        mask: bool, (h, h), the prediction.
    """

    image: Tensor
    truth: Tensor
    mask: Tensor


def draw_slices(path: Path, seen: Sequence[SeenSlice], title: str) -> None:
    """Draw up to eight slices.

    Args:
        path: the file.
        seen: the slices.
        title: the title.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    shown = seen[:_MOST]
    if not shown:
        return
    columns = min(_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    figure = Figure((_INCHES * columns, _INCHES * rows + 0.4), layout="constrained")
    figure.set_facecolor("black")
    figure.suptitle(title, color="white", fontsize=9)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels:
        axes.set_axis_off()
    for axes, one in zip(panels, shown, strict=False):
        axes.imshow(one.image[0].numpy(), cmap="gray", vmin=-1, vmax=1, extent=(0, 1, 1, 0))
        for outline, colour, style in ((one.truth, _TRUTH, "-"), (one.mask, _ANSWER, "--")):
            if outline.any() and not outline.all():
                axes.contour(
                    outline.numpy(),
                    [0.5],
                    colors=[colour],
                    linestyles=style,
                    linewidths=1.2,
                    extent=(0, 1, 0, 1),
                )
    with atomic_path(path) as beside:
        figure.savefig(beside, dpi=90, facecolor="black")
