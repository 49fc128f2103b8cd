"""SAM-Med3D as a `Segmenter`: one click after another in one cube around the object.

As in its training and validation, each step gives the network the latest click and the logits of
the step before, not all clicks again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import PromptError
from ...progress import Progress, part_of, parts_of
from ...prompts.mask import Mask
from ...prompts.mask_voxels import StartVoxels
from ...prompts.types import Box, Prompt, is_positive, is_start
from ...prompts.voxels import VoxelMarks, enforce_marks, to_voxels
from ...segmenter import Encoding, Logits, ModelCard, Prediction, RegionRule
from ...system.foreign_errors import callers
from ...system.memory_cache import LruByteCache
from ...volumes.intensities import is_ct
from ...volumes.region import Region, shape_triple
from ...volumes.volume import Volume
from ..common.steps import after_start, is_heeded, without_leading_background
from .cell_window import CellWindow
from .preprocessing import normalised_cells
from .sizes import MASK_CELL
from .torch_runtime import TorchRuntime

# A marked voxel gets at least this logit, whatever the prediction.
_CLICK_LOGIT = 1.0
# The logit of voxels of a mask to start from, 0.98 as a probability.
_SURE = 4.0
# How far the object may extend beyond its box.
_BEYOND_BOX = RegionRule(margin_voxels=2, margin_fraction=0.25, click_radius_voxels=0, shared=False)
# 80 cubes of the published network.
_FEATURES_BYTES = 1 << 26


@dataclass(frozen=True, eq=False)
class CubeEncoding(Encoding):
    """A volume, and the features of the cubes that were looked at.

    Attributes:
        volume: The volume.
        is_ct: Whether it is CT.
        features: By cube.
    """

    volume: Volume
    is_ct: bool
    features: LruByteCache[CellWindow, Any]


@dataclass(frozen=True, eq=False)
class CubePrediction(Prediction):
    """A prediction with what the next step goes on from.

    Attributes:
        window: The cube.
        coarse: The network's own logits, a quarter as fine.
    """

    window: CellWindow | None = None
    coarse: Logits | None = None


class SamMed3dSegmenter:
    """The `Segmenter` around a network.

    Args:
        card: The properties of the model.
        runtime: The network.
    """

    classes: tuple[str, ...] = ()

    def __init__(self, card: ModelCard, runtime: TorchRuntime) -> None:
        self.card = card
        self._runtime = runtime

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> CubeEncoding:
        """Take a volume, all of it: which cube is looked at depends on the prompts.

        Raises:
            VolumeError: If the volume contains NaN or infinity.
        """
        progress(0.0, "Preparing the volume")
        volume.intensity_range()
        features: LruByteCache[CellWindow, Any] = LruByteCache(
            _FEATURES_BYTES, lambda tensor: tensor.nbytes
        )
        whole = Region.whole(volume.geometry.shape_kji)
        found = is_ct(volume)
        progress(1.0, "Preparing the volume")
        return CubeEncoding(volume.geometry, whole, _FEATURES_BYTES, volume, found, features)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment one object, going on from `previous`, or click by click without it.

        A box is a click in its middle; the answer extends to its margin at most. A last click that
        the previous answer agrees with changes nothing.

        Raises:
            PromptError: For a prompt outside the volume, or one that the model does not take.
            DeviceError: If memory runs out.
            ModelError: If the network fails.
        """
        if not isinstance(encoding, CubeEncoding):
            raise TypeError(f"{self.card.title} cannot predict from a {type(encoding).__name__}.")
        progress = callers(progress)
        progress(0.0, "Reading the prompts")
        self.card.check_takes(prompts)
        marks = to_voxels(prompts, encoding.geometry)
        own = after_start(prompts)
        if previous is not None and (_is_for_sessions(prompts) or is_heeded(previous, prompts)):
            progress(1.0, "Predicting the mask")
            return previous
        if not own and marks.start is None:
            raise PromptError("There is no prompt for the object; click on it or draw a box.")
        window = self._window(marks, encoding)
        features = self._features(encoding, window, part_of(progress, 0.0, 0.9))
        mask, steps = self._begun(marks.start, own, previous, window)
        shares = parts_of(part_of(progress, 0.9, 1.0), len(steps))
        for prompt, share in zip(steps, shares, strict=True):
            share(0.0, "Predicting the mask")
            click = None if prompt is None else _click(prompt, encoding, window)
            mask = self._runtime.decode(features, click, mask)
        region = _answered(window.region(), marks, encoding)
        logits = window.voxels_of(mask, region)
        enforce_marks(logits, marks.within(region), _CLICK_LOGIT)
        progress(1.0, "Predicting the mask")
        return CubePrediction(
            encoding.geometry, region.start_kji, logits, window=window, coarse=mask
        )

    def _window(self, marks: VoxelMarks, encoding: CubeEncoding) -> CellWindow:
        """The cube around the boxes, else the mask to start from, else the first click.

        It only moves if a click on the object is beyond it.
        """
        clicks = [_voxel(voxel) for voxel in marks.foreground_kji.tolist()]
        started = [] if marks.start is None else [marks.start.region]
        any_click = [_voxel(voxel) for voxel in marks.voxels_kji[:1].tolist()]
        seeds = list(marks.boxes) or started or clicks[:1] or any_click
        side = self._runtime.sizes.side
        window = CellWindow.around(Region.enclosing(seeds), encoding.geometry, side)
        beyond = [click for click in clicks if not window.region().contains(click)]
        if not beyond:
            return window
        return CellWindow.around(Region.enclosing([*seeds, *beyond]), encoding.geometry, side)

    def _features(self, encoding: CubeEncoding, window: CellWindow, progress: Progress) -> Any:
        features = encoding.features.get(window)
        if features is None:
            array = encoding.volume.array_kji
            cells = window.cells_of(array, Region.whole(array.shape), outside=0)
            features = self._runtime.encode(normalised_cells(cells, encoding.is_ct), progress)
            encoding.features.put(window, features)
        return features

    def _begun(
        self,
        start: StartVoxels | None,
        own: tuple[Prompt, ...],
        previous: Prediction | None,
        window: CellWindow,
    ) -> tuple[Logits, Sequence[Prompt | None]]:
        """The network's mask before the steps, and the steps; None is one without a click."""
        if previous is not None:
            return self._mask_of(previous, window), own[-1:]
        if start is not None:
            logits = np.where(start.inside_kji, np.float32(_SURE), np.float32(-_SURE))
            return self._pooled(logits, start.region, window), (None, *own)
        zeros = np.zeros((self._runtime.sizes.mask_side,) * 3, np.float32)
        return zeros, without_leading_background(own)[1]

    def _mask_of(self, previous: Prediction, window: CellWindow) -> Logits:
        if isinstance(previous, CubePrediction) and previous.window == window:
            assert previous.coarse is not None, "it comes with its window"
            return previous.coarse
        return self._pooled(previous.logits_kji, previous.region, window)

    def _pooled(self, logits_kji: Logits, region: Region, window: CellWindow) -> Logits:
        """Logits of a region of the volume as a mask of the network, means of its cells."""
        cells = window.cells_of(logits_kji, region, outside=-_SURE, within_lattice=False)
        side = self._runtime.sizes.mask_side
        parts = cells.reshape(side, MASK_CELL, side, MASK_CELL, side, MASK_CELL)
        means: Logits = parts.mean(axis=(1, 3, 5))
        return means


def _is_for_sessions(prompts: Sequence[Prompt]) -> bool:
    """Whether the last prompt is a mask to avoid or to keep, which sessions apply."""
    return bool(prompts) and isinstance(prompts[-1], Mask) and not is_start(prompts[-1])


def _click(
    prompt: Prompt, encoding: CubeEncoding, window: CellWindow
) -> tuple[NDArray[np.float32], bool]:
    """A click in cells of the cube: that of a point, or the middle of a box."""
    marks = to_voxels([prompt], encoding.geometry)
    if isinstance(prompt, Box):
        (box,) = marks.boxes
        middle = (np.array(box.start_kji) + np.array(box.stop_kji) - 1) / 2
        return window.cell_positions(middle[None])[0], True
    return window.cell_positions(marks.voxels_kji)[0], is_positive(prompt)


def _answered(seen: Region, marks: VoxelMarks, encoding: CubeEncoding) -> Region:
    """The region of the answer: the cube, or what a box and its margin and clicks leave of it."""
    if not marks.boxes:
        return seen
    shape = encoding.geometry.shape_kji
    wanted = [box.grown(_BEYOND_BOX.margin(box), shape) for box in marks.boxes]
    wanted += [_voxel(voxel) for voxel in marks.foreground_kji.tolist()]
    if marks.start is not None:
        wanted.append(marks.start.region)
    return Region.enclosing(wanted).intersection(seen) or seen


def _voxel(kji: Sequence[int]) -> Region:
    return Region.at(shape_triple(kji), (1, 1, 1))
