"""Starting from a mask: what models get for it, and what their answer makes of it.

A mask alone is its own answer. Prompts that it agrees with already, such as a click inside it,
leave it as it is. With the first prompt that corrects it, the model is called twice: for the mask
alone and for the mask with all prompts. What the prompts change is applied to the mask; elsewhere
it stays, to the voxel. So a careful segment is not drawn again by a model that would do it worse.

What a model gets for the mask is said by `ModelCard.starts_from`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..prompts.mask import Mask
from ..prompts.mask_marks import mask_box, mask_clicks
from ..prompts.mask_voxels import start_voxels
from ..prompts.types import Box, Lasso, Point, Prompt, Scribble, Text, is_start
from ..prompts.voxels import enforce_marks, to_voxels
from ..segmenter import Logits, ModelCard, Prediction, probabilities
from ..volumes.geometry import Geometry
from ..volumes.region import Region, on_region

Bools = NDArray[np.bool_]

# The logit of voxels that the mask decides, 0.98 as a probability; marks are at least as sure.
START_LOGIT = 4.0
# How far a correction reaches along a thin layer of what differs, as a part of the mask's extent,
# and the least number of voxels.
_THIN_PART = 0.2
_THIN_VOXELS = 3


@dataclass(frozen=True)
class Start:
    """An object that starts from a mask.

    Attributes:
        mask: the mask.
        index: its index among the prompts.
    """

    mask: Mask
    index: int

    @classmethod
    def of(cls, prompts: Sequence[Prompt]) -> Start | None:
        """The latest mask to start from among the prompts of an object; None if there is none."""
        found = [n for n, prompt in enumerate(prompts) if is_start(prompt)]
        if not found:
            return None
        mask = prompts[found[-1]]
        assert isinstance(mask, Mask), "only masks are starts"
        return cls(mask, found[-1])


def corrects(start: Start, prompts: Sequence[Prompt], geometry: Geometry) -> bool:
    """Whether a prompt after the mask asks for anything that the mask does not have already."""
    if _redraws(prompts[start.index + 1 :]):
        return True
    return bool(len(_corrections(start, prompts, geometry)))


def started(start: Start, prompts: Sequence[Prompt], geometry: Geometry) -> Prediction:
    """The mask itself as an answer, with what its prompts decide."""
    voxels = start_voxels(start.mask, geometry)
    marks = to_voxels(prompts, geometry)
    region = voxels.region
    if len(marks.foreground_kji):
        region = region.union(Region.around(marks.foreground_kji))
    if marks.fixed is not None and marks.fixed.inside_kji.any():
        region = region.union(marks.fixed.region)
    logits = _start_logits(voxels.on(region))
    enforce_marks(logits, marks.within(region), START_LOGIT)
    return Prediction(geometry, region.start_kji, logits)


def model_prompts(
    card: ModelCard, start: Start, prompts: Sequence[Prompt], geometry: Geometry
) -> tuple[Prompt, ...]:
    """The prompts of an object as a model gets them.

    A model that takes the mask as a prior gets it as it is. Others get clicks inside it and around
    it, unless a prompt says the opposite there, and, if they do not take the mask as their previous
    answer, a box around it in which it may move a little, unless there is a box.
    """
    if card.starts_from == "prior":
        return tuple(prompts)
    given = [prompt for prompt in prompts if not is_start(prompt)]
    derived: list[Prompt] = []
    boxed = any(isinstance(prompt, Box) for prompt in given)
    if card.starts_from == "prompts" and "box" in card.prompts and not boxed:
        derived.append(mask_box(start.mask, geometry))
    if "point" in card.prompts:
        derived += mask_clicks(start.mask, geometry, _corrections(start, prompts, geometry))
    return (*derived, *given)


def limited(prediction: Prediction, prompts: Sequence[Prompt]) -> Prediction:
    """A model's prediction with the voxels that masks to avoid or to keep decide."""
    if not any(isinstance(prompt, Mask) for prompt in prompts):
        return prediction
    marks = to_voxels(prompts, prediction.geometry)
    if marks.fixed is None:
        return prediction
    before = region = prediction.region
    if marks.fixed.inside_kji.any():
        region = region.union(marks.fixed.region)
    here = marks.within(region)
    if here.fixed is None:
        return prediction
    logits = np.full(region.shape_kji, -START_LOGIT, np.float32)
    logits[before.relative_to(region).slices] = prediction.logits_kji
    enforce_marks(logits, here, START_LOGIT)
    planes = {}
    for name, plane in prediction.planes.items():
        # As logits of 0 and 1 would be infinite, fixed voxels get the probability of their logit.
        seen = on_region(plane, before, region).copy()
        part = seen[here.fixed.region.slices]
        decided = probabilities(_start_logits(here.fixed.inside_kji))
        part[here.fixed.fixed_kji] = decided[here.fixed.fixed_kji]
        planes[name] = seen
    start = region.start_kji
    return Prediction(prediction.geometry, start, logits, planes, prediction.question)


def composed(
    start: Start,
    prompts: Sequence[Prompt],
    plain: Prediction,
    answer: Prediction,
) -> Prediction:
    """The mask with what the prompts changed.

    Args:
        start: the mask.
        prompts: all prompts of the object.
        plain: the model's answer to the mask alone.
        answer: its answer to all prompts.

    Returns:
        A prediction whose voxels follow the answer if it differs from that to the mask alone, or
        if they are connected to a correcting mark by voxels that differ from the mask; other voxels
        follow the mask.
    """
    geometry = answer.geometry
    voxels = start_voxels(start.mask, geometry)
    region = answer.region.union(voxels.region)
    inside = voxels.on(region)
    now, before = (on_region(p.logits_kji > 0, p.region, region) for p in (answer, plain))
    corrections = _corrections(start, prompts, geometry) - np.array(region.start_kji)
    taken = corrections[_values(inside, corrections)]
    given = corrections[~_values(inside, corrections)]
    # A mark on the background asks for what the mask has too much, another for what it lacks, and
    # a box or a text for both.
    both = _redraws(prompts[start.index + 1 :])
    follows = np.zeros_like(inside)
    if both or len(given):
        follows |= now & ~before
    if both or len(taken):
        follows |= before & ~now
    reach = [max(_THIN_VOXELS, round(_THIN_PART * n)) for n in voxels.region.shape_kji]
    # A model that sees nothing of the mask is no reason to give it up for one click.
    most = int(np.count_nonzero(inside)) // 2
    follows |= _pieces(inside & ~now, taken, reach, most)
    follows |= _pieces(now & ~inside, given, reach, inside.size)
    answered = np.zeros_like(follows)
    answered[answer.region.relative_to(region).slices] = True
    follows &= answered
    logits = _start_logits(inside)
    raw = on_region(answer.logits_kji, answer.region, region)
    logits[follows] = raw[follows]
    marks = to_voxels(prompts, geometry).within(region)
    enforce_marks(logits, marks, START_LOGIT)
    planes = {}
    for name, plane in answer.planes.items():
        own = probabilities(_start_logits(inside))
        seen = on_region(plane, answer.region, region)
        own[follows] = seen[follows]
        planes[name] = own
    return limited(Prediction(geometry, region.start_kji, logits, planes), prompts)


def _redraws(prompts: Sequence[Prompt]) -> bool:
    """Whether one of the prompts, a box or a text, is about the whole object."""
    return any(isinstance(prompt, Box | Text) for prompt in prompts)


def _start_logits(inside: Bools) -> Logits:
    return np.where(inside, np.float32(START_LOGIT), np.float32(-START_LOGIT))


def _corrections(start: Start, prompts: Sequence[Prompt], geometry: Geometry) -> NDArray[np.int64]:
    """(n, 3): the voxels whose latest mark after the mask says the opposite of the mask."""
    later = [p for p in prompts[start.index + 1 :] if isinstance(p, Point | Scribble | Lasso)]
    marks = to_voxels(later, geometry)
    voxels = start_voxels(start.mask, geometry)
    inside = _values(voxels.inside_kji, marks.voxels_kji - np.array(voxels.region.start_kji))
    return np.asarray(marks.voxels_kji[inside != marks.positive])


def _values(mask: Bools, voxels: NDArray[np.int64]) -> Bools:
    """(n,) the values of a mask at voxels; False for those outside its array."""
    values = np.zeros(len(voxels), bool)
    within = ((voxels >= 0) & (voxels < mask.shape)).all(axis=1)
    values[within] = mask[tuple(voxels[within].T)]
    return values


def _pieces(wrong: Bools, corrections: NDArray[np.int64], reach: Sequence[int], most: int) -> Bools:
    """The pieces of what is wrong that hold a correction: the thick ones, or a part of a thin one.

    A layer of one or two voxels around the whole object, such as from another taste in borders,
    would connect a correction to everything, so it counts only within `reach` of the correction.

    Args:
        wrong: bool, (K, J, I).
        corrections: (n, 3), indices of voxels, which may be outside the array.
        reach: in voxels along each axis.
        most: thick pieces of more voxels do not count.
    """
    from scipy.ndimage import binary_dilation, binary_erosion, label

    found = np.zeros_like(wrong)
    corrections = corrections[((corrections >= 0) & (corrections < wrong.shape)).all(axis=1)]
    if not len(corrections):
        return found
    part, near = _near(corrections, reach, wrong.shape)
    pieces, _ = label(wrong[part.slices] & near)
    own = np.unique(pieces[tuple((corrections - np.array(part.start_kji)).T)])
    found[part.slices] = np.isin(pieces, own[own > 0])
    thick, _ = label(binary_erosion(wrong))
    beside, near = _near(corrections, (1, 1, 1), wrong.shape)
    numbers = np.unique(thick[beside.slices][near])
    numbers = numbers[(numbers > 0) & (np.bincount(thick.ravel())[numbers] <= most)]
    if len(numbers):
        # Diagonal steps too, so that a block gets its edges and corners back.
        found |= binary_dilation(np.isin(thick, numbers), np.ones((3, 3, 3))) & wrong
    return found


def _near(
    voxels: NDArray[np.int64], reach: Sequence[int], shape: tuple[int, ...]
) -> tuple[Region, Bools]:
    """A region of an array, and which of its voxels are within `reach` of some, at least one."""
    from scipy.ndimage import maximum_filter

    part = Region.around(voxels).grown(reach, shape)
    marked = np.zeros(part.shape_kji, bool)
    marked[tuple((voxels - np.array(part.start_kji)).T)] = True
    sizes = tuple(2 * n + 1 for n in reach)
    return part, np.asarray(maximum_filter(marked, sizes, mode="constant"))
