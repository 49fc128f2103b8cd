"""Training samples from labelled scenes: an object in its region, and its box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ....errors import TrainingError
from ....synthesis.scene import RandomGenerators, Scene, Source
from ....volumes.resampling import axis_weights

Floats = NDArray[np.float64]

# The share of tight boxes; in the others each face is off by up to this part of the box's width.
_TIGHT_BOXES = 0.5
_BOX_JITTER = 0.1
# The margin beyond each face of the box, as a part of its width. In inference it is a quarter.
_MARGINS = (0.15, 0.4)
_SMALLEST_MARGIN_VOXELS = 2
# Without a box: half the region's width over half the object's. Inference tries several sizes, so
# an object may fill a small part of the region or extend beyond it.
_REACHES = (0.4, 6.0)
_SMALLEST_REACH_VOXELS = 4
_PERCENTILES = (0.005, 0.995)
# The share of scenes that end within the object along one axis, as scans of few slices do, and the
# part of the object that is left at least.
_CUT_SCENES = 0.3
_LEAST_LEFT = 0.15
_FEWEST_VOXELS_LEFT = 3
# The share of views that show only a part of the region, as windows in inference do, and the part
# of each side that they show.
_CLOSER_VIEWS = 0.25
_CLOSER_WIDTH = 0.6
# The share of batches that begin with a mask that is wrong in places, such as a coarse prediction.
_STARTED_BATCHES = 0.2
# An object with fewer cells is too small to learn from, and is replaced.
_FEWEST_CELLS = 12
# The number of scenes for each object after which the source counts as unusable.
_MOST_SCENES = 200


@dataclass(frozen=True, eq=False)
class Batch:
    """Objects, each in its own region, resampled to n cells along each axis.

    Attributes:
        image: (B, 1, n, n, n) float32, 0 to 1.
        target: the same shape; the fraction of each cell that belongs to the object.
        boxes_kji: (B, 2, 3) float32, the centres of the boxes' first and last voxel, in cells; None
            for objects that are only clicked on.
        spacing_kji_mm: (B, 3) float32, the size of a cell.
        previous: (B, 1, n, n, n) float32, logits to begin from, or None.
    """

    image: Tensor
    target: Tensor
    boxes_kji: Tensor | None
    spacing_kji_mm: Tensor
    previous: Tensor | None = None


def make_batch(
    source: Source, side: int, cells: int, size: int, boxed: bool, generators: RandomGenerators
) -> Batch:
    """Make a batch of objects from scenes.

    Args:
        source: the source of scenes.
        side: voxels of a scene along each axis.
        cells: cells of a region along each axis.
        size: the number of objects.
        boxed: whether the objects have boxes.
        generators: the random generators.

    Raises:
        TrainingError: too few scenes show an object large enough to learn from.
    """
    objects: list[tuple[Tensor, Tensor, Floats, Floats]] = []
    for _ in range(_MOST_SCENES * size):
        if len(objects) == size:
            break
        scene = source.scene((side, side, side), generators)
        sample = _seen(scene, cells, boxed, generators)
        if float(sample[1].sum()) >= _FEWEST_CELLS:
            objects.append(sample)
    if len(objects) < size:
        raise TrainingError(
            f"Only {len(objects)} of {_MOST_SCENES * size} scenes of {side} voxels a side show an "
            f"object of {_FEWEST_CELLS} cells; give a larger scene_side= or another pack=."
        )
    images, targets, boxes, spacings = zip(*objects, strict=True)
    device = images[0].device
    target = torch.stack(targets)[:, None]
    return Batch(
        torch.stack(images)[:, None],
        target,
        torch.tensor(np.stack(boxes), dtype=torch.float32, device=device) if boxed else None,
        torch.tensor(np.stack(spacings), dtype=torch.float32, device=device),
        started_logits(target, generators) if generators.host.random() < _STARTED_BATCHES else None,
    )


def normalised_cells(image: Tensor) -> Tensor:
    """An image with its 0.5 and 99.5 percentile mapped to 0 and 1, as `intensities` does."""
    low, high = torch.quantile(image.flatten(), image.new_tensor(_PERCENTILES))
    return ((image - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def _seen(
    scene: Scene, cells: int, boxed: bool, generators: RandomGenerators
) -> tuple[Tensor, Tensor, Floats, Floats]:
    """An object of a scene: image and target (n, n, n), box corners in cells, size of a cell."""
    label = int(generators.host.integers(1, int(scene.labels.max()) + 1))
    view = _field_of_view(*_bounds(scene.labels == label), scene.labels.shape, generators.host)
    image, mask = scene.image[view], scene.labels[view] == label
    start, stop = _bounds(mask)
    if boxed:
        start, stop = _drawn_box(start, stop, mask.shape, generators.host)
        first, end = _around_box(start, stop, generators.host)
    else:
        first, end = _around_click(start, stop, generators.host)
    first = np.clip(first, 0, np.array(mask.shape) - 1)
    end = np.clip(end, first + 1, mask.shape)
    if generators.host.random() < _CLOSER_VIEWS and bool(mask.any()):
        first, end = _closer(first, end, mask, generators.host)
    window = tuple(slice(int(a), int(b)) for a, b in zip(first, end, strict=True))
    cells_per_voxel = cells / (end - first)
    corners = (np.stack((start, stop - 1)) - first + 0.5) * cells_per_voxel - 0.5
    return (
        normalised_cells(resampled_cells(image[window], cells)),
        resampled_cells(mask[window].float(), cells),
        corners,
        np.array(scene.spacing_kji_mm) / cells_per_voxel,
    )


def _bounds(mask: Tensor) -> tuple[Floats, Floats]:
    """The first voxel of an object, and the one after its last, along each axis."""
    sides = [mask.amax(dim=[a for a in range(3) if a != axis]) for axis in range(3)]
    indices = [np.flatnonzero(side.cpu().numpy()) for side in sides]
    if any(len(axis) == 0 for axis in indices):
        return np.zeros(3), np.array(mask.shape, dtype=float)
    ends = [(axis[0], axis[-1] + 1) for axis in indices]
    start, stop = np.array(ends, dtype=float).T
    return start, stop


def _field_of_view(
    start: Floats, stop: Floats, shape: tuple[int, ...], host: np.random.Generator
) -> tuple[slice, ...]:
    """The recorded part of a scene: all of it, or a slab within the object."""
    view = [slice(0, n) for n in shape]
    if host.random() < _CUT_SCENES:
        axis = int(host.integers(3))
        width = stop[axis] - start[axis]
        left = max(np.rint(host.uniform(_LEAST_LEFT, 1) * width), min(_FEWEST_VOXELS_LEFT, width))
        first = int(start[axis] + host.integers(int(width - left) + 1))
        view[axis] = slice(first, first + int(left))
    return tuple(view)


def _drawn_box(
    start: Floats, stop: Floats, shape: tuple[int, ...], host: np.random.Generator
) -> tuple[Floats, Floats]:
    """The box as a user draws it: tight, or with an error on each face."""
    if host.random() < _TIGHT_BOXES:
        return start, stop
    shift = np.rint(host.uniform(-_BOX_JITTER, _BOX_JITTER, (2, 3)) * (stop - start))
    moved_start = np.clip(start + shift[0], 0, stop - 1)
    return moved_start, np.clip(stop + shift[1], np.maximum(moved_start, start) + 1, shape)


def _around_box(start: Floats, stop: Floats, host: np.random.Generator) -> tuple[Floats, Floats]:
    margin = np.ceil(host.uniform(*_MARGINS) * (stop - start)).clip(_SMALLEST_MARGIN_VOXELS)
    return start - margin, stop + margin


def _around_click(start: Floats, stop: Floats, host: np.random.Generator) -> tuple[Floats, Floats]:
    middle = host.uniform(start, stop)
    half = max(float((stop - start).max()) / 2, _SMALLEST_REACH_VOXELS)
    reach = half * np.exp(host.uniform(*np.log(_REACHES)))
    return np.floor(middle - reach), np.ceil(middle + reach)


def _closer(
    first: Floats, end: Floats, mask: Tensor, host: np.random.Generator
) -> tuple[Floats, Floats]:
    """A part of a region that shows a part of the object."""
    width = np.ceil(_CLOSER_WIDTH * (end - first))
    inside = mask.nonzero()
    voxel = inside[int(host.integers(len(inside)))].cpu().numpy()
    lowest = np.maximum(first, voxel + 1 - width)
    highest = np.minimum(end - width, voxel)
    start = np.floor(host.uniform(lowest, np.maximum(lowest, highest) + 1))
    start = np.clip(start, first, end - width)
    return start, start + width


def started_logits(target: Tensor, generators: RandomGenerators) -> Tensor:
    """Logits of a mask similar to the target, blurred and wrong in places.

    The mask is wrong where a smooth random field is large.

    Args:
        target: (B, 1, n, n, n) float32.
        generators: the random generators.

    Returns:
        (B, 1, n, n, n).
    """
    noise = torch.randn(target.shape, generator=generators.device, device=target.device)
    steps = int(generators.host.integers(2, 5))
    for _ in range(2):
        noise = functional.avg_pool3d(noise, 2 * steps + 1, 1, steps)
    noise = noise / noise.std().clamp(min=1e-6)
    blur = int(generators.host.integers(1, 3))
    soft = functional.avg_pool3d(target, 2 * blur + 1, 1, blur)
    wrong = float(generators.host.uniform(0.5, 4.0))
    return 5.0 * (2 * soft - 1) + wrong * noise


def resampled_cells(array: Tensor, cells: int) -> Tensor:
    """A window (K, J, I) of a scene, resampled to (n, n, n) cells."""
    along_k, along_j, along_i = (
        torch.from_numpy(axis_weights(n, cells).copy()).to(array.device) for n in array.shape
    )
    rows = (along_k @ array.flatten(1)).unflatten(1, array.shape[1:])
    return torch.matmul(torch.matmul(along_j, rows), along_i.T)
