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
from .views import drawn_box, field_of_view, seen_region

Floats = NDArray[np.float64]

_PERCENTILES = (0.005, 0.995)
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
        view = field_of_view(scene.labels == label, host)
    image, labels = scene.image[view], scene.labels[view]
    box, first, end = seen_region(labels == label, boxed, views, host)
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
        start, stop = box if each == label else drawn_box(inside, views, host)
        corners = (np.stack((start, stop - 1)) - first + 0.5) * cells_per_voxel - 0.5
        target = on_grid(inside[window].float())
        spacing = np.array(scene.spacing_kji_mm) / cells_per_voxel
        samples.append(Sample(seen, target, corners, spacing))
    return samples


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
