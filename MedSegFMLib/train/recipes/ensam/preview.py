"""A picture of predictions for a few objects in three planes, with the ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ....system.atomic_files import atomic_path
from .samples import Batch

_MOST_OBJECTS = 4
_PLANES = "kji"
_INCHES = 2.2
# The ground truth is green; dashes distinguish the others from it for colour-blind readers.
_LINES: tuple[tuple[str, str, Literal["-", "--", ":"]], ...] = (
    ("truth", "#5CFF5C", "-"),
    ("after the box", "#E69F00", ":"),
    ("after the last click", "#56B4E9", "--"),
)


def write_preview(path: Path, batch: Batch, first: Tensor, last: Tensor, title: str) -> None:
    """Draw up to four objects of a batch.

    Args:
        path: the file.
        batch: the batch.
        first: the logits (B, 1, n, n, n) after the box.
        last: the same after the last click.
        title: the title.

    Raises:
        OutputError: the file cannot be written.
    """
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    count = min(_MOST_OBJECTS, len(batch.image))
    figure = Figure((_INCHES * 3, _INCHES * count + 0.6), layout="constrained", facecolor="black")
    figure.suptitle(title, color="white", fontsize=9)
    panels = figure.subplots(count, 3, squeeze=False)
    for row, number in zip(panels, range(count), strict=True):
        image = _array(batch.image, number)
        masks = [_array(batch.target, number) > 0.5]
        masks += [_array(logits, number) > 0 for logits in (first, last)]
        spacing_mm = batch.spacing_kji_mm[number].cpu().numpy()
        middle = _middle(masks[0])
        for axis, axes in enumerate(row):
            rows_mm, columns_mm = np.delete(spacing_mm, axis)
            axes.imshow(
                image.take(middle[axis], axis),
                cmap="gray",
                vmin=0,
                vmax=1,
                aspect=float(rows_mm / columns_mm),
            )
            for mask, (_, colour, style) in zip(masks, _LINES, strict=True):
                cut = mask.take(middle[axis], axis)
                if cut.any() and not cut.all():
                    axes.contour(cut, [0.5], colors=[colour], linestyles=style, linewidths=1.2)
            axes.set_title(f"{_PLANES[axis]} = {middle[axis]}", color="#9A9A9A", fontsize=7)
            axes.set_axis_off()
    handles = [Line2D([], [], color=c, linestyle=style, label=name) for name, c, style in _LINES]
    figure.legend(
        handles=handles,
        loc="outside lower center",
        ncols=len(handles),
        frameon=False,
        labelcolor="white",
        fontsize=8,
    )
    with atomic_path(path) as beside:
        figure.savefig(beside, dpi=90, facecolor="black")


def _array(batch: Tensor, number: int) -> NDArray[np.float32]:
    array: NDArray[np.float32] = batch[number, 0].float().cpu().numpy()
    return array


def _middle(mask: NDArray[np.bool_]) -> list[int]:
    inside = np.argwhere(mask)
    if not len(inside):
        return [n // 2 for n in mask.shape]
    nearest = np.linalg.norm(inside - inside.mean(axis=0), axis=1).argmin()
    return [int(v) for v in inside[nearest]]
