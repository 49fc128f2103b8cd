"""The `Segmenter` around VISTA3D: classes by name, clicks, and both together.

- A class alone is segmented in the whole volume.
- Clicks alone are segmented in a window around each of them.
- Clicks with a class, or with a mask to start from, correct it.
- The network takes no boxes. A box cuts off what is outside it, unless a positive click is; a box
  without a class, a mask or a positive click is also a click in its middle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ...progress import Progress, part_of, parts_of
from ...prompts.types import Prompt
from ...prompts.voxels import VoxelMarks, enforce_marks, to_voxels
from ...segmenter import Encoding, Logits, ModelCard, Prediction, class_numbers
from ...system.foreign_errors import callers, predicting_errors
from ...volumes.region import Region
from ...volumes.volume import Volume
from .class_scores import ClassScores
from .classes import NO_CLASS, all_numbers, numbers_by_class
from .network_grid import FAR_LOGIT, NetworkGrid

if TYPE_CHECKING:
    from .network import Vista3dNetwork

Bools = NDArray[np.bool_]

# The logit of a mask to start from, and the least of clicked voxels.
_SURE = 4.0
# The margin of an answer on each side of its object, so that it shows where the object ends.
_MARGIN_VOXELS = 8
# A click corrects what is at most this many voxels away, as in MONAI.
_REACH = 2


@dataclass(frozen=True, eq=False)
class Vista3dEncoding(Encoding):
    """A region as the network gets it.

    Attributes:
        grid: The image, and its place in the region.
        classes: The scores of the classes named so far.
    """

    grid: NetworkGrid
    classes: ClassScores


class Vista3dSegmenter:
    """VISTA3D as a `Segmenter`.

    Args:
        card: The properties of the model.
        network: The network.
        spacing_mm: The spacing of its grid; None for each volume's own.
        zero_shot: Whether clicks without a class are on objects that are none of its classes.
        budget_bytes: The memory for the scores of named classes.
        path: The file of the weights, for error messages.
    """

    def __init__(
        self,
        card: ModelCard,
        network: Vista3dNetwork,
        spacing_mm: float | None,
        zero_shot: bool,
        budget_bytes: int,
        path: Path | None = None,
    ) -> None:
        self.card = card
        self._network = network
        self._spacing_mm = spacing_mm
        self._zero_shot = zero_shot
        self._budget_bytes = budget_bytes
        self._path = path

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; those made of others, or within others, come last."""
        return tuple(numbers_by_class())

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Vista3dEncoding:
        """Prepare a region (None: all) of a volume; the network runs once a prompt needs it.

        Raises:
            VolumeError: If the volume contains NaN or infinity, is nowhere above 0 HU, or cannot be
                resampled to the network's spacing.
            DeviceError: If memory runs out.
        """
        progress(0.0, "Preparing the volume")
        volume.intensity_range()
        region = region or Region.whole(volume.geometry.shape_kji)
        with predicting_errors(self.card.name, self._path):
            grid = NetworkGrid.of(volume.crop(region), self._spacing_mm)
        progress(1.0, "Preparing the volume")
        classes = ClassScores(
            partial(self._network.class_scores, grid.image),
            all_numbers(),
            self._network.most_classes(grid.shape, self._budget_bytes),
            self._budget_bytes,
        )
        nbytes = grid.nbytes + self._budget_bytes
        return Vista3dEncoding(volume.geometry, region, nbytes, grid, classes)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        """Segment one object; of several classes, their union.

        Every clicked voxel gets the label of its click.

        Raises:
            PromptError: For a text that names no class, and for any other kind of prompt.
            DeviceError: If memory runs out.
            ModelError: If the network returns NaN or infinity.
        """
        if not isinstance(encoding, Vista3dEncoding):
            raise TypeError(f"{self.card.title} cannot predict from a {type(encoding).__name__}.")
        self.card.check_takes(prompts)
        progress = callers(progress)
        progress(0.0, "Reading the prompts")
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        numbers = self._numbers(marks.phrases)
        with predicting_errors(self.card.name, self._path):
            prior = self._prior(encoding, numbers, marks, part_of(progress, 0.0, 0.5))
            asked = _with_middles(marks, prior is not None)
            scores = self._clicked(encoding, asked, numbers, prior, part_of(progress, 0.5, 1.0))
        region, logits = _on_volume(encoding.grid, scores, marks)
        here = marks.within(region)
        _cut(logits, here)
        enforce_marks(logits, here, _SURE)
        progress(1.0, "Predicting the mask")
        offset = region.shifted(encoding.region.start_kji).start_kji
        return Prediction(encoding.geometry, offset, logits)

    def _numbers(self, phrases: Sequence[str]) -> list[int]:
        """The network's classes that the texts name, each once."""
        if not phrases:
            return []
        table = numbers_by_class()
        found = class_numbers(phrases, self.classes, self.card.name)
        return list(dict.fromkeys(n for place in found for n in table[self.classes[place]]))

    def _prior(
        self,
        encoding: Vista3dEncoding,
        numbers: Sequence[int],
        marks: VoxelMarks,
        progress: Progress,
    ) -> NDArray[np.float32] | None:
        """The logits (i, j, k) of the named classes or of the mask to start from, or None."""
        scores: NDArray[np.float32] | None = None
        for number, share in zip(numbers, parts_of(progress, max(1, len(numbers))), strict=False):
            found = encoding.classes.of(number, share)
            scores = found if scores is None else np.maximum(scores, found)
        if scores is not None or marks.start is None:
            return scores
        inside = encoding.grid.prior(marks.start.inside_kji, marks.start.region)
        return np.where(inside, np.float32(_SURE), np.float32(-_SURE))

    def _clicked(
        self,
        encoding: Vista3dEncoding,
        marks: VoxelMarks,
        numbers: Sequence[int],
        prior: NDArray[np.float32] | None,
        progress: Progress,
    ) -> NDArray[np.float32]:
        """The logits (i, j, k) with all clicks; the prior itself if there is none to heed."""
        grid = encoding.grid
        positions = grid.positions(marks.voxels_kji)
        seen = grid.contains(positions)
        positions, positive = positions[seen], marks.positive[seen]
        needed = self._needed(positions, positive, prior, grid.shape)
        positions, positive = positions[needed], positive[needed]
        if not len(positions) or not (positive.any() or prior is not None):
            return np.full(grid.shape, -FAR_LOGIT, np.float32) if prior is None else prior
        number = numbers[0] if len(numbers) == 1 else None
        if not numbers and self._zero_shot:
            number = NO_CLASS
        return self._network.click_scores(grid.image, positions, positive, number, prior, progress)

    def _needed(
        self,
        positions: NDArray[np.float32],
        positive: Bools,
        prior: NDArray[np.float32] | None,
        shape: Sequence[int],
    ) -> Bools:
        """Which clicks can change anything.

        A click for another object is background for this one. Its window, which takes as long as
        any, is left out if it touches no window of a positive click and there is nothing to remove.
        """
        windows = self._network.windows(positions, shape)
        needed = positive.copy()
        for n in np.flatnonzero(~positive):
            near = prior is not None and _any_near(prior, positions[n])
            needed[n] = near or self._network.touch(windows[n], windows[positive])
        return needed


def _any_near(prior: NDArray[np.float32], position: NDArray[np.float32]) -> bool:
    """Whether the prior has anything within reach of a click."""
    middle = np.rint(position).astype(int)
    around = tuple(slice(max(0, m - _REACH), m + _REACH + 1) for m in middle)
    return bool((prior[around] > 0).any())


def _with_middles(marks: VoxelMarks, has_prior: bool) -> VoxelMarks:
    """The marks with a positive click in the middle of each box if nothing else says what is meant.

    It gives way to a click on the background at the same voxel.
    """
    if has_prior or marks.positive.any() or not marks.boxes:
        return marks
    middles = [
        [(start + stop - 1) // 2 for start, stop in zip(box.start_kji, box.stop_kji, strict=True)]
        for box in marks.boxes
    ]
    taken = set(map(tuple, marks.voxels_kji.tolist()))
    free = [middle for middle in middles if tuple(middle) not in taken]
    voxels = np.array([*marks.voxels_kji.tolist(), *free], np.int64).reshape(-1, 3)
    positive = np.append(marks.positive, np.ones(len(free), bool))
    return VoxelMarks(marks.boxes, voxels, positive, marks.phrases, marks.start, marks.fixed)


def _on_volume(
    grid: NetworkGrid, scores: NDArray[np.float32], marks: VoxelMarks
) -> tuple[Region, Logits]:
    """The part of the volume around the object, its boxes and its marks, and the logits there."""
    parts = [*marks.boxes]
    found = grid.region_of(scores > 0, _MARGIN_VOXELS)
    if found is not None:
        parts.append(found)
    if len(marks.voxels_kji):
        parts.append(Region.around(marks.voxels_kji))
    region = Region.enclosing(parts or [Region((0, 0, 0), (1, 1, 1))])
    region = region.grown((_MARGIN_VOXELS,) * 3, grid.shape_kji)
    return region, grid.logits(scores, region)


def _cut(logits: Logits, here: VoxelMarks) -> None:
    """Turn what is outside all boxes into background, unless a positive click is there."""
    if not here.boxes:
        return
    outside = np.ones(logits.shape, bool)
    for box in here.boxes:
        outside[box.slices] = False
    if len(here.foreground_kji) and outside[tuple(here.foreground_kji.T)].any():
        return
    np.minimum(logits, -_SURE, out=logits, where=outside)
