"""Prompts as nnInteractive's interactions: clicks, drawn masks and boxes of one slice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ...errors import PromptError
from ...prompts.types import Box, Lasso, Point, Prompt, Scribble, prompt_name
from ...prompts.voxels import box_region, mark_voxels
from ...volumes.geometry import Geometry
from ...volumes.region import Region, shape_triple
from .upstream import Bounds, UpstreamSession

# What the package calls the prompts; weights state which of them they know.
_NAMES = {"point": "points", "scribble": "scribble", "lasso": "lasso"}


class Placing(Protocol):
    """One interaction, to be given to a session."""

    def __call__(self, *, run_prediction: bool) -> Bounds | None:
        """Give it; with a prediction, return the bounds of what it changed."""


def placings(
    session: UpstreamSession, prompt: Prompt, geometry: Geometry, every: int
) -> list[Placing]:
    """The interactions of a prompt, in the order in which a session gets them.

    Args:
        session: the session.
        prompt: a click, scribble, lasso or box.
        geometry: the grid of the session's image.
        every: for weights without 3D boxes, see `flat_boxes`.

    Raises:
        PromptError: the prompt is outside the volume, or the weights do not know its kind.
    """
    if isinstance(prompt, Box):
        return _box(session, box_region(prompt, geometry), every)
    if not isinstance(prompt, Point | Scribble | Lasso):
        raise PromptError(f"nnInteractive does not support {prompt_name(prompt)} prompts.")
    _require(session, _NAMES[prompt_name(prompt)], prompt_name(prompt))
    voxels = mark_voxels(prompt, geometry)
    if isinstance(prompt, Point):
        (voxel,) = voxels.tolist()
        return [partial(session.add_point_interaction, voxel, prompt.positive)]
    add: Callable[..., Bounds | None] = session.add_lasso_interaction
    if isinstance(prompt, Scribble):
        add = session.add_scribble_interaction
        voxels = _thickened(voxels, session.preferred_scribble_thickness, geometry)
    drawn, region = _drawn(voxels)
    return [partial(add, drawn, prompt.positive, interaction_bbox=bounds_of(region))]


def flat_boxes(region: Region, every: int) -> list[Region]:
    """A box as boxes of one voxel's thickness, since public weights know no others.

    Args:
        region: the box; one that is flat already is returned alone.
        every: 0 for the three planes through its middle; n for every n-th slice across its
            shortest side, symmetric about the middle one.

    Returns:
        The boxes; the last, which a session looks at, is the middle one across the shortest side,
        so that what it sees reaches as far as the box.
    """
    middle = [(a + b) // 2 for a, b in zip(region.start_kji, region.stop_kji, strict=True)]
    if 1 in region.shape_kji:
        return [region]
    longest_first = sorted(range(3), key=lambda axis: -region.shape_kji[axis])
    if not every:
        return [_slice(region, axis, middle[axis]) for axis in longest_first]
    axis = longest_first[-1]
    first, last = region.start_kji[axis], region.stop_kji[axis]
    slices = [n for n in range(first, last) if (n - middle[axis]) % every == 0]
    slices.sort(key=lambda n: -abs(n - middle[axis]))
    return [_slice(region, axis, n) for n in slices]


def bounds_of(region: Region) -> list[list[int]]:
    """A region as the package writes it."""
    return [list(pair) for pair in zip(region.start_kji, region.stop_kji, strict=True)]


def _box(session: UpstreamSession, region: Region, every: int) -> list[Placing]:
    is_native = bool(session.supported_interactions.get("bbox3d", False))
    if not is_native:
        _require(session, "bbox2d", "box")
    parts = [region] if is_native else flat_boxes(region, every)
    return [partial(session.add_bbox_interaction, bounds_of(part), True) for part in parts]


def _require(session: UpstreamSession, name: str, prompt: str) -> None:
    if not session.supported_interactions.get(name, False):
        known = ", ".join(key for key, known in session.supported_interactions.items() if known)
        raise PromptError(
            f"These weights of nnInteractive do not support {prompt} prompts; they support "
            f"{known or 'none'}."
        )


def _slice(region: Region, axis: int, index: int) -> Region:
    start, stop = list(region.start_kji), list(region.stop_kji)
    start[axis], stop[axis] = index, index + 1
    return Region(shape_triple(start), shape_triple(stop))


def _drawn(voxels_kji: NDArray[np.int64]) -> tuple[NDArray[np.uint8], Region]:
    """Voxels as a mask of the region around them."""
    region = Region.around(voxels_kji)
    mask = np.zeros(region.shape_kji, np.uint8)
    mask[tuple((voxels_kji - np.array(region.start_kji)).T)] = 1
    return mask, region


def _thickened(
    voxels_kji: NDArray[np.int64], thickness: Sequence[int], geometry: Geometry
) -> NDArray[np.int64]:
    """The voxels of a stroke in the thickness that the weights were trained with, within its slice.

    A stroke in one slice stays in it; of several such directions it is that of the thickest slices.
    """
    flat = [axis for axis in range(3) if len(np.unique(voxels_kji[:, axis])) == 1]
    across = max(flat, key=lambda axis: geometry.spacing_kji_mm[axis], default=None)
    steps = np.array(
        np.meshgrid(
            *(range(1 if axis == across else max(1, round(n))) for axis, n in enumerate(thickness)),
            indexing="ij",
        )
    ).reshape(3, -1)
    # Each voxel and those after it, as a pen of this width draws.
    thick = (voxels_kji[:, :, None] + steps).transpose(0, 2, 1).reshape(-1, 3)
    within = (thick < geometry.shape_kji).all(axis=1)
    return np.asarray(thick[within])
