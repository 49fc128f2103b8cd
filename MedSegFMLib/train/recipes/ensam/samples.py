"""Training samples from labelled scenes: an object in its region, and its box."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ....errors import TrainingError
from ....models.ensam.voxel_grid import pooling_factors
from ....synthesis.scene import RandomGenerators, Scene, Source
from ....volumes.resampling import axis_weights
from .settings import Views
from .touching import touching_labels

Floats = NDArray[np.float64]

# The share of tight boxes; in the others each face is off by up to this part of the box's width.
_TIGHT_BOXES = 0.5
_BOX_JITTER = 0.1
# The margin beyond each face of the box, as a part of its width. In inference it is a quarter.
_MARGINS = (0.15, 0.4)
_SMALLEST_MARGIN_VOXELS = 2
# The margins of the paper, in voxels, drawn for each face.
_LEAST_MARGIN_VOXELS, LARGEST_MARGIN_VOXELS = 1, 64
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
# The number of scenes after which an object that touches no other is taken alone.
_TOUCHING_TRIES = 4


@dataclass(frozen=True, eq=False)
class Batch:
    """Objects in their regions, resampled to n cells along each axis, or on their own voxels.

    Attributes:
        image: (B, 1, n, n, n) float32, 0 to 1; (1, 1, K, J, I) for voxels.
        target: the same shape; the fraction of each cell that belongs to the object.
        boxes_kji: (B, 2, 3) float32, the centres of the boxes' first and last voxel, in cells; None
            for objects that are only clicked on.
        spacing_kji_mm: (B, 3) float32, the size of a cell.
        previous: (B, 1, n, n, n) float32, logits to begin from, or None.
        group: (B,) int64; objects of one number are in one region and compete for its voxels. None
            if each is alone.
    """

    image: Tensor
    target: Tensor
    boxes_kji: Tensor | None
    spacing_kji_mm: Tensor
    previous: Tensor | None = None
    group: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """An object in its region: image and target (K, J, I), box corners in cells, size of a cell."""

    image: Tensor
    target: Tensor
    box_kji: Floats
    spacing_kji_mm: Floats


def make_batch(
    source: Source,
    side: int,
    cells: int | None,
    size: int,
    boxed: bool,
    generators: RandomGenerators,
    views: Views = "varied",
    objects: int = 1,
) -> Batch:
    """Make a batch of objects from scenes.

    Args:
        source: the source of scenes.
        side: voxels of a scene along each axis.
        cells: cells of a region along each axis; None for its own voxels, of a single object.
        size: the number of objects.
        boxed: whether the objects have boxes.
        generators: the random generators.
        views: the regions around the objects.
        objects: the most objects in one region.

    Raises:
        TrainingError: too few scenes show an object large enough to learn from.
    """
    groups: list[list[Sample]] = []
    missing, passed = size, 0
    for _ in range(_MOST_SCENES * size):
        if not missing:
            break
        scene = source.scene((side, side, side), generators)
        label = int(generators.host.integers(1, int(scene.labels.max()) + 1))
        most = min(objects, missing)
        seen = seen_objects(scene, label, cells, boxed, generators, views, most)
        group = [sample for sample in seen if float(sample.target.sum()) >= _FEWEST_CELLS]
        if not group or group[0] is not seen[0]:
            continue
        passed += 1
        if len(group) == 1 and most > 1 and passed < _TOUCHING_TRIES:
            continue
        groups.append(group)
        missing, passed = missing - len(group), 0
    if missing:
        raise TrainingError(
            f"Only {size - missing} of {_MOST_SCENES * size} scenes of {side} voxels a side show "
            f"an object of {_FEWEST_CELLS} cells; give a larger scene_side= or another pack=."
        )
    return stacked(groups, boxed, views, generators)


def stacked(
    groups: Sequence[Sequence[Sample]], boxed: bool, views: Views, generators: RandomGenerators
) -> Batch:
    """A batch of groups of objects, each in one region."""
    samples = [sample for group in groups for sample in group]
    device = samples[0].image.device
    target = torch.stack([sample.target for sample in samples])[:, None]
    boxes = np.stack([sample.box_kji for sample in samples])
    spacings = np.stack([sample.spacing_kji_mm for sample in samples])
    started = views == "varied" and generators.host.random() < _STARTED_BATCHES
    numbers = [number for number, group in enumerate(groups) for _ in group]
    return Batch(
        torch.stack([sample.image for sample in samples])[:, None],
        target,
        torch.tensor(boxes, dtype=torch.float32, device=device) if boxed else None,
        torch.tensor(spacings, dtype=torch.float32, device=device),
        started_logits(target, generators) if started else None,
        torch.tensor(numbers, device=device) if len(groups) < len(samples) else None,
    )


def normalised_cells(image: Tensor) -> Tensor:
    """An image with its 0.5 and 99.5 percentile mapped to 0 and 1, as `intensities` does."""
    low, high = torch.quantile(image.flatten(), image.new_tensor(_PERCENTILES))
    return ((image - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)


def seen_objects(
    scene: Scene,
    label: int,
    cells: int | None,
    boxed: bool,
    generators: RandomGenerators,
    views: Views,
    objects: int,
    alter: Callable[[Tensor], Tensor] | None = None,
) -> list[Sample]:
    """An object of a scene in its region, and up to `objects` - 1 others there that touch it.

    Args:
        scene: the scene.
        label: the object.
        cells: as for `make_batch`.
        boxed: as for `make_batch`.
        generators: the random generators.
        views: as for `make_batch`.
        objects: the most objects.
        alter: alters the image of the region, of 0 to 1; None for no change.
    """
    host = generators.host
    view = tuple(slice(0, n) for n in scene.labels.shape)
    if views == "varied":
        view = _field_of_view(*_bounds(scene.labels == label), scene.labels.shape, host)
    image, labels = scene.image[view], scene.labels[view]
    mask = labels == label
    box = _drawn_box(mask, views, host) if boxed else _bounds(mask)
    first, end = _region(box, boxed, views, host)
    first = np.clip(first, 0, np.array(mask.shape) - 1)
    end = np.clip(end, first + 1, mask.shape)
    if views == "varied" and host.random() < _CLOSER_VIEWS and bool(mask.any()):
        first, end = _closer(first, end, mask, host)
    window = tuple(slice(int(a), int(b)) for a, b in zip(first, end, strict=True))
    shown = image[window]
    size = np.array(shown.shape)
    factors = pooling_factors(shown.shape)
    cells_per_voxel = 1 / np.array(factors) if cells is None else cells / size

    def on_grid(array: Tensor) -> Tensor:
        return _pooled(array, factors) if cells is None else resampled_cells(array, cells)

    seen = normalised_cells(on_grid(shown))
    if alter is not None:
        seen = normalised_cells(alter(seen))
    samples = []
    others = touching_labels(labels, label, objects - 1, host) if objects > 1 else []
    for each in (label, *others):
        inside = labels == each
        start, stop = box if each == label else _drawn_box(inside, views, host)
        corners = (np.stack((start, stop - 1)) - first + 0.5) * cells_per_voxel - 0.5
        target = on_grid(inside[window].float())
        spacing = np.array(scene.spacing_kji_mm) / cells_per_voxel
        samples.append(Sample(seen, target, corners, spacing))
    return samples


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


def _drawn_box(mask: Tensor, views: Views, host: np.random.Generator) -> tuple[Floats, Floats]:
    """The box of an object: tight, or as a user draws it, with an error on each face."""
    start, stop = _bounds(mask)
    if views == "margins" or host.random() < _TIGHT_BOXES:
        return start, stop
    shift = np.rint(host.uniform(-_BOX_JITTER, _BOX_JITTER, (2, 3)) * (stop - start))
    moved_start = np.clip(start + shift[0], 0, stop - 1)
    return moved_start, np.clip(stop + shift[1], np.maximum(moved_start, start) + 1, mask.shape)


def _region(
    box: tuple[Floats, Floats], boxed: bool, views: Views, host: np.random.Generator
) -> tuple[Floats, Floats]:
    if views == "margins":
        drawn = host.integers(_LEAST_MARGIN_VOXELS, LARGEST_MARGIN_VOXELS, (2, 3), endpoint=True)
        before, after = drawn
        return box[0] - before, box[1] + after
    return _around_box(*box, host) if boxed else _around_click(*box, host)


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


def _pooled(array: Tensor, factors: Sequence[int]) -> Tensor:
    """The largest value of each block of a window (K, J, I); the last block may be cut off."""
    if max(factors) == 1:
        return array
    return functional.max_pool3d(array[None, None], list(factors), ceil_mode=True)[0, 0]


def resampled_cells(array: Tensor, cells: int) -> Tensor:
    """A window (K, J, I) of a scene, resampled to (n, n, n) cells."""
    along_k, along_j, along_i = (
        torch.from_numpy(axis_weights(n, cells).copy()).to(array.device) for n in array.shape
    )
    rows = (along_k @ array.flatten(1)).unflatten(1, array.shape[1:])
    return torch.matmul(torch.matmul(along_j, rows), along_i.T)
