"""Corrections by marks: each sets the logit at its cell, and the range over which that applies.

The residual at the marks is interpolated by a Gaussian process (kriging). Its kernel falls with the
length of the path through the image and with the difference in intensity, and ends about as far
beyond the mark as the mark is from the correct part.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...prompts.voxels import VoxelMarks
from ...volumes.pooling import Floats
from .box_grid import BoxGrid, Cell
from .settings import Settings

# The length of paths that are too long to matter, in half boxes.
FAR = np.float32(1000)


@dataclass(frozen=True)
class Mark:
    """A cell that belongs to the object if positive, else to the background."""

    cell: Cell
    positive: bool

    @property
    def sign(self) -> int:
        """1 or -1."""
        return 1 if self.positive else -1


def grid_marks(grid: BoxGrid, marks: VoxelMarks, settings: Settings) -> list[Mark]:
    """One mark per cell, the later one, in the order they were given.

    If there are more than `most_marks`, that many are chosen at regular intervals.
    """
    cells: dict[Cell, bool] = {}
    for voxel, positive in zip(marks.voxels_kji.tolist(), marks.positive.tolist(), strict=True):
        cell = grid.cell_of(voxel)
        cells.pop(cell, None)
        cells[cell] = positive
    placed = [Mark(cell, positive) for cell, positive in cells.items()]
    if len(placed) > settings.most_marks:
        chosen = np.linspace(0, len(placed) - 1, settings.most_marks).round().astype(int)
        placed = [placed[n] for n in chosen]
    return placed


def path_lengths(
    grid: BoxGrid, smooth: Floats, mark: Mark, longest: float, settings: Settings
) -> Floats:
    """The length of the shortest path through the image from a mark to every cell, in half boxes.

    A step costs more, the more the intensity differs from that at the mark, once the difference
    exceeds `path_contrast`. Cells farther than `longest` half boxes get their length or `FAR`. Uses
    SimpleITK's fast marching.
    """
    import SimpleITK as sitk

    contrast = np.abs(smooth - smooth[mark.cell])
    excess = np.clip(contrast / settings.path_contrast - 1, 0, 2)
    speed = sitk.GetImageFromArray((1 / (1 + settings.path_cost * excess)).astype(np.float32))
    speed.SetSpacing(grid.cell_half_boxes[::-1].tolist())
    march = sitk.FastMarchingImageFilter()
    march.SetStoppingValue(longest)
    march.SetTrialPoints([mark.cell[::-1]])
    path: Floats = sitk.GetArrayFromImage(march.Execute(speed))
    return np.minimum(path, FAR)


def depth_map(grid: BoxGrid, mark: Mark, logits: Floats) -> Floats:
    """The distance in half boxes of each cell from what `logits` have correct near `mark`.

    If nothing is correct it is 1 everywhere, as if half a box away. Uses SimpleITK's exact map.
    """
    import SimpleITK as sitk

    correct = mark.sign * logits > 0
    if not correct.any():
        return np.ones(grid.shape, dtype=np.float32)
    image = sitk.GetImageFromArray(correct.astype(np.uint8))
    image.SetSpacing(grid.cell_half_boxes[::-1].tolist())
    signed = sitk.SignedMaurerDistanceMap(
        image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True
    )
    depth: Floats = sitk.GetArrayFromImage(signed)
    return np.maximum(depth, 0)


def mark_range(depth: Floats, mark: Mark, settings: Settings) -> float:
    """How far along paths a mark acts, in half boxes: farther in the middle of a large error."""
    reach = max(float(depth[mark.cell]), 1e-3)
    stretch = (reach / settings.click_reach_half_boxes) ** settings.click_reach_power
    return float(
        np.clip(
            settings.click_half_boxes * stretch,
            settings.click_shortest_half_boxes,
            settings.click_longest_half_boxes,
        )
    )


def kernel(smooth: Floats, path: Floats, depth: Floats, mark: Mark, settings: Settings) -> Floats:
    """The weight of a mark in each cell: 1 at the mark, falling to 0 far away.

    Args:
        smooth: The smoothed intensities; see `Appearance`.
        path: The mark's `path_lengths`.
        depth: The `depth_map` of the prediction that it corrects.
        mark: The mark.
        settings: The settings of the method.
    """
    # Users click in the middle of an error: it ends about as far away on the other side.
    reach = float(depth[mark.cell])
    band = settings.click_band * reach + settings.click_band_half_boxes
    contrast = smooth - smooth[mark.cell]
    exponent = (contrast / settings.click_contrast) ** 2
    exponent += (np.maximum(depth - reach, 0) / band) ** 2
    exponent += (path / mark_range(depth, mark, settings)) ** 2
    return np.asarray(np.exp(-0.5 * np.minimum(exponent, 200)), dtype=np.float32)


def interpolate(
    logits: Floats, marks: Sequence[Mark], kernels: Sequence[Floats], settings: Settings
) -> Floats:
    """The logits plus the residuals at the marks, spread by their kernels."""
    residuals = [
        mark.sign * max(0.0, settings.click_logit - mark.sign * float(logits[mark.cell]))
        for mark in marks
    ]
    gram = np.array([[near[mark.cell] for near in kernels] for mark in marks], dtype=np.float64)
    gram = (gram + gram.T) / 2 + settings.click_noise * np.eye(len(marks))
    weights = np.linalg.lstsq(gram, np.array(residuals), rcond=None)[0]
    # Adjacent marks of opposite signs would need ever larger weights to be separated.
    weights = np.clip(weights, -settings.click_most, settings.click_most)
    corrected = logits.copy()
    for mark, weight, near in zip(marks, weights, kernels, strict=True):
        # No mark acts against its own sign.
        if weight * mark.sign > 0:
            corrected += np.float32(weight) * near
    return corrected
