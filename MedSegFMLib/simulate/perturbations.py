"""Masks that are wrong in a known way, such as an earlier result that a user starts from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from ..errors import MaskError
from ..volumes.masks import Mask, bounding_box, check_mask

Bools = NDArray[np.bool_]

# The largest move along each axis, and the least of the longest one, as parts of the extent.
_MOVES = (0.1, 0.2)
# The distance of erosion and dilation, as a part of the depth of the deepest voxel.
_DEPTHS = (0.2, 0.4)
# The part of the voxels that a cut removes.
_CUTS = (0.2, 0.4)


def perturbed(reference: Mask, kind: str, seed: int, spacing_kji_mm: Sequence[float]) -> Bools:
    """The object with one kind of error.

    - "moved": all of it, by 10 to 20 % of its extent along one axis at least, as after a wrong
      registration.
    - "shifted": the slices on one side of a plane across an axis, along another axis, as after
      motion of the patient.
    - "eroded", "dilated": by a distance of 20 to 40 % of the depth of its deepest voxel.
    - "cut": 20 to 40 % of its voxels are missing, those beyond a plane in any direction.

    What would leave the grid is lost. At least one voxel is left and one is wrong, unless the
    object is a single voxel.

    Args:
        reference: (K, J, I), bool or integer; every non-zero voxel belongs to the object.
        kind: one of `KINDS`, or "any" for one that the seed chooses.
        seed: for `numpy.random.default_rng`; the same seed gives the same mask.
        spacing_kji_mm: the size of a voxel, which distances are measured with.

    Returns:
        The mask, bool, (K, J, I).

    Raises:
        MaskError: the reference is not a 3D mask, or is empty.
        ValueError: there is no such kind.
    """
    check_mask(reference, "reference")
    inside = reference != 0
    box = bounding_box(inside)
    if box is None:
        raise MaskError(
            f"reference is empty (no voxel of {reference.shape} is set), but an error needs an "
            "object; leave this object out."
        )
    rng = np.random.default_rng(seed)
    if kind == "any":
        kind = str(rng.choice(list(KINDS)))
    if kind not in KINDS:
        raise ValueError(f"There is no error '{kind}'; choose from any, {', '.join(KINDS)}.")
    # An error never reaches further than the object's extent beyond it.
    around = tuple(
        slice(max(0, 2 * side.start - side.stop), min(n, 2 * side.stop - side.start))
        for side, n in zip(box, inside.shape, strict=True)
    )
    changed = KINDS[kind](inside[around], rng, np.asarray(spacing_kji_mm, dtype=np.float64))
    result: Bools = inside.copy()
    if changed.any():
        result[around] = changed
    return result


def _moved(inside: Bools, rng: np.random.Generator, spacing_mm: NDArray[np.float64]) -> Bools:
    parts = rng.uniform(-_MOVES[1], _MOVES[1], 3)
    axis = int(rng.integers(3))
    parts[axis] = rng.uniform(*_MOVES) * rng.choice([-1, 1])
    steps = np.rint(parts * _extent(inside)).astype(int)
    if not steps.any():
        # An object of a few voxels moves by one, along its longest axis.
        steps[int(np.argmax(_extent(inside)))] = rng.choice([-1, 1])
    return _translated(inside, steps.tolist())


def _shifted(inside: Bools, rng: np.random.Generator, spacing_mm: NDArray[np.float64]) -> Bools:
    extent = _extent(inside)
    across, along = rng.permutation(np.argsort(-extent)[:2]).tolist()
    counts = inside.sum(axis=tuple(a for a in range(3) if a != across)).cumsum()
    middle = int(np.searchsorted(counts, rng.uniform(0.3, 0.7) * counts[-1])) + 1
    steps = [0, 0, 0]
    steps[along] = int(max(1, round(rng.uniform(0.2, 0.5) * extent[along]))) * rng.choice([-1, 1])
    beyond = np.moveaxis(np.zeros_like(inside), across, 0)
    beyond[middle:] = True
    side = np.moveaxis(beyond, 0, across)
    return (inside & ~side) | (_translated(inside, steps) & side)


def _eroded(inside: Bools, rng: np.random.Generator, spacing_mm: NDArray[np.float64]) -> Bools:
    depth = _depth_mm(inside, spacing_mm)
    kept = depth > max(rng.uniform(*_DEPTHS) * depth.max(), spacing_mm.min() * 1.001)
    return np.asarray(kept if kept.any() else depth == depth.max())


def _dilated(inside: Bools, rng: np.random.Generator, spacing_mm: NDArray[np.float64]) -> Bools:
    from scipy.ndimage import distance_transform_edt

    reach = rng.uniform(*_DEPTHS) * _depth_mm(inside, spacing_mm).max()
    distance = distance_transform_edt(~inside, sampling=spacing_mm)
    return np.asarray(distance <= max(reach, spacing_mm.min() * 1.001))


def _cut(inside: Bools, rng: np.random.Generator, spacing_mm: NDArray[np.float64]) -> Bools:
    voxels = np.argwhere(inside)
    normal = rng.normal(size=3)
    heights = (voxels * spacing_mm) @ (normal / np.linalg.norm(normal))
    kept = voxels[heights <= np.quantile(heights, 1 - rng.uniform(*_CUTS))]
    result = np.zeros_like(inside)
    result[tuple(kept.T)] = True
    return result


# Each returns the wrong object, given the object with room around it.
_Maker = Callable[[Bools, np.random.Generator, NDArray[np.float64]], Bools]
KINDS: dict[str, _Maker] = {
    "moved": _moved,
    "shifted": _shifted,
    "eroded": _eroded,
    "dilated": _dilated,
    "cut": _cut,
}


def _extent(inside: Bools) -> NDArray[np.int64]:
    box = bounding_box(inside)
    assert box is not None, "there is an object"
    return np.array([side.stop - side.start for side in box])


def _depth_mm(inside: Bools, spacing_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distance of each voxel to the outside; beyond the array is outside."""
    from scipy.ndimage import distance_transform_edt

    padded = distance_transform_edt(np.pad(inside, 1), sampling=spacing_mm)
    return np.asarray(padded[1:-1, 1:-1, 1:-1])


def _translated(inside: Bools, steps_kji: Sequence[int]) -> Bools:
    """The mask moved by whole voxels; what leaves the array is lost."""
    result = np.zeros_like(inside)
    source, target = [], []
    for n, step in zip(inside.shape, steps_kji, strict=True):
        source.append(slice(max(0, -step), min(n, n - step)))
        target.append(slice(max(0, step), min(n, n + step)))
    result[tuple(target)] = inside[tuple(source)]
    return result
