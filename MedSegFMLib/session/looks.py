"""Looks: the parts of a volume in which a model that chooses its regions saw an object.

Without a box, the first click on an object does not say how large it is. A model that can judge its
own answers chooses the region around it. A later click beyond that region, as on the next of
several lesions, begins another look; a click within it corrects that look alone. The answer is the
union. A stroke is seen as a whole or, if the model is surer of it, in one look after the other
along the stroke: a vessel fills too little of the region around a stroke along it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from ..progress import Progress
from ..prompts.types import Point, Prompt, Scribble
from ..prompts.voxels import to_voxels
from ..segmenter import Prediction, certainty
from ..volumes.geometry import Geometry
from ..volumes.region import Region
from ..volumes.volume import Volume
from .region_limit import core_region
from .region_of_interest import with_marks

# A tube covers less of each face that it passes through, and is no less certain than this. Chosen
# on cases held out from training (Docs/results.md).
_TUBE_FACE = 0.25
_TUBE_CERTAINTY = 0.95
# The logit of voxels beyond every look.
_UNSEEN_LOGIT = -8.0
# A stroke that would need more looks than these is seen as a whole.
_MOST_STRETCHES = 16


@runtime_checkable
class RegionChooser(Protocol):
    """A model whose card says that it chooses the region around the marks of a prompt."""

    def choose_region(
        self,
        volume: Volume,
        prompts: Sequence[Prompt],
        mark: Prompt,
        most_voxels: int | None,
        progress: Progress,
    ) -> Region:
        """The region around a click or stroke on an object of unknown size.

        Args:
            volume: the volume.
            prompts: all prompts of the object.
            mark: one of them, on the object.
            most_voxels: the most voxels of the region, if the mark needs no more; None for any.
            progress: called with the completed fraction and a phrase.

        Returns:
            A region with every voxel of the mark.
        """


@dataclass(frozen=True, eq=False)
class Look:
    """A prediction in one region and the prompts it is from.

    Attributes:
        prediction: the prediction, from the prompts in its region.
        prompts: those prompts.
    """

    prediction: Prediction
    prompts: tuple[Prompt, ...]


def prompts_in(region: Region, prompts: Sequence[Prompt], geometry: Geometry) -> tuple[Prompt, ...]:
    """The prompts that mark a voxel of a region."""
    return tuple(
        prompt for prompt in prompts if len(to_voxels([prompt], geometry).within(region).voxels_kji)
    )


def looks_after(
    before: Sequence[Look],
    prompts: Sequence[Prompt],
    geometry: Geometry,
    predicted: Callable[[Region, Region, tuple[Prompt, ...], Prediction | None], Prediction],
    chosen: Callable[[Prompt, int | None], Region],
) -> tuple[Look, ...]:
    """The looks after a step; only those whose prompts have changed are predicted again.

    Args:
        before: the looks before the step.
        prompts: the prompts of the object.
        geometry: the grid of the volume.
        predicted: the prediction on a region, with what it must contain at least, from the prompts
            in it and the previous prediction.
        chosen: the region around a mark, with at most that number of voxels; None for any.
    """

    def looked(region: Region, core: Region, previous: Prediction | None) -> Look:
        given = prompts_in(region, prompts, geometry)
        prediction = predicted(region, core, given, previous)
        seen = prompts_in(prediction.region, prompts, geometry)
        while seen != given:
            # It has grown to further prompts, of which its mask takes no account yet.
            given = seen
            prediction = predicted(prediction.region, core, given, None)
            seen = prompts_in(prediction.region, prompts, geometry)
        return Look(prediction, given)

    def begun(mark: Prompt, seen: Sequence[Region]) -> Look:
        # A later look is no larger than those before it.
        region = chosen(mark, max((before.size for before in seen), default=None))
        return looked(region, core_region([mark], geometry) or region, None)

    def along(stroke: Scribble, whole: Look) -> list[Look]:
        """Looks along a stroke, each around its first voxel that none has seen; [] if too many."""
        stretches: list[Look] = []
        left = to_voxels([stroke], geometry).foreground_kji
        while len(left) and len(stretches) < _MOST_STRETCHES:
            mark = Point.from_ijk(geometry, left[0, ::-1].tolist())
            stretches.append(begun(mark, [whole.prediction.region]))
            left = left[~stretches[-1].prediction.region.holds(left)]
        return [] if len(left) else stretches

    looks: list[Look] = []
    for look in before:
        region = look.prediction.region
        given = prompts_in(region, prompts, geometry)
        if given != look.prompts:
            # A new stroke may go on beyond it; what is inside leaves it as it is.
            added = [prompt for prompt in given if prompt not in look.prompts]
            beyond = [prompt for prompt in added if not _is_inside(prompt, region, geometry)]
            look = looked(with_marks(region, beyond, geometry), region, look.prediction)
        looks.append(look)
    for prompt in prompts:
        regions = [look.prediction.region for look in looks]
        shows = len(to_voxels([prompt], geometry).foreground_kji) > 0
        if shows and not any(prompts_in(region, [prompt], geometry) for region in regions):
            whole = begun(prompt, regions)
            stretches = along(prompt, whole) if isinstance(prompt, Scribble) else []
            looks += _surer([whole], stretches)
    return tuple(looks)


def _surer(whole: list[Look], stretches: list[Look]) -> list[Look]:
    """A look at a stroke, or those along it if the model is surer of what they show."""
    if len(stretches) < 2:
        return whole
    sure, sure_along = (certainty(joined(looks).logits_kji) for looks in (whole, stretches))
    return stretches if sure_along > sure else whole


def _is_inside(prompt: Prompt, region: Region, geometry: Geometry) -> bool:
    """Whether all voxels that a prompt marks are in a region."""
    marks = to_voxels([prompt], geometry)
    return len(marks.within(region).voxels_kji) == len(marks.voxels_kji)


def tube_follower() -> Callable[[Prediction], bool]:
    """A rule for one look: it is enlarged while a tube leaves it along one axis.

    At first, the object must pass through both faces of an axis, and no other face. Any other
    object that leaves a look is more often a wrong answer.
    """
    followed: list[int] = []

    def follows(prediction: Prediction) -> bool:
        mask, geometry = prediction.logits_kji > 0, prediction.geometry
        covered = {
            axis: [float(np.take(mask, end, axis).mean()) for end in (0, -1)]
            for axis, width in enumerate(mask.shape)
            # Along another axis, the look ends with the volume.
            if width < geometry.shape_kji[axis]
        }
        axes = [axis for axis, pair in covered.items() if any(pair)]
        if len(axes) != 1 or (followed and axes != followed):
            return False
        pair = covered[axes[0]]
        if max(pair) >= _TUBE_FACE or certainty(prediction.logits_kji) < _TUBE_CERTAINTY:
            return False
        if not followed and not all(pair):
            return False
        followed[:] = axes
        return True

    return follows


def joined(looks: Sequence[Look]) -> Prediction:
    """The union of at least one look, as one prediction on the region around all of them."""
    first, *others = (look.prediction for look in looks)
    if not others:
        return first
    region = Region.enclosing([look.prediction.region for look in looks])
    logits = np.full(region.shape_kji, _UNSEEN_LOGIT, dtype=np.float32)
    for prediction in (first, *others):
        part = logits[prediction.region.relative_to(region).slices]
        np.maximum(part, prediction.logits_kji, out=part)
    return Prediction(first.geometry, region.start_kji, logits)
