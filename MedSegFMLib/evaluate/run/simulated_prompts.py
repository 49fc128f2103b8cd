"""The simulated prompts of a protocol for an object."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...datasets.loading import LoadedCase
from ...prompts.mask import Mask
from ...prompts.types import Box, Point, Prompt, Text
from ...segmenter import ModelCard
from ...simulate import box_around, challenge_box, longest_diameter, next_click, perturbed
from ..protocol import BOX_MIDDLES, Protocol
from ..records import PlacedKind

# The challenge moves the sides of its boxes by up to 5 voxels in a slice of 256.
_CHALLENGE_JITTER_VOXELS = 5
_CHALLENGE_SLICE_SIDE = 256

# A prompt and its kind for the row.
PlacedPrompt = tuple[Prompt | None, PlacedKind]
NOTHING: PlacedPrompt = (None, PlacedKind.NONE)


def first_prompt(
    card: ModelCard,
    name: str,
    value: int,
    reference: NDArray[np.bool_],
    loaded: LoadedCase,
    protocol: Protocol,
    seed: int,
) -> PlacedPrompt:
    """The first prompt of an object, a kind that the model takes.

    A model that takes no mask gets a box if the protocol starts from a mask, one that takes no box
    a click, and one that takes none of them the name. A line is for any model that takes boxes or
    clicks.

    Args:
        card: the card of the model.
        name: the name of the object.
        value: its label.
        reference: (K, J, I), the object.
        loaded: the image and labels of the case.
        protocol: the protocol.
        seed: the seed of the prompt.
    """
    if protocol.start is not None and "mask" in card.prompts:
        geometry = loaded.image.geometry
        wrong = perturbed(reference, protocol.start, seed, geometry.spacing_kji_mm)
        return Mask.from_array(wrong, geometry), PlacedKind.MASK
    if protocol.line and "line" in card.accepted:
        line = longest_diameter(reference, loaded.image.geometry, protocol.jitter, seed)
        return line, PlacedKind.LINE
    boxed = protocol.box and "box" in card.prompts
    if "text" in card.prompts and (protocol.text_first or not (boxed or "point" in card.prompts)):
        return Text(name), PlacedKind.TEXT
    if not boxed:
        return click(card, reference, np.zeros_like(reference), loaded, protocol, seed)
    if protocol.box_rule == "around":
        bounds = box_around(reference, protocol.jitter, seed)
    elif loaded.boxes is None:
        middle = BOX_MIDDLES[protocol.box_rule]
        bounds = challenge_box(
            reference, _CHALLENGE_JITTER_VOXELS, seed, _CHALLENGE_SLICE_SIDE, middle
        )
    elif value in loaded.boxes:
        bounds = loaded.boxes[value]
    else:
        return NOTHING
    start_kji, stop_kji = bounds
    return Box.from_ijk(loaded.image.geometry, start_kji[::-1], stop_kji[::-1]), PlacedKind.BOX


def click(
    card: ModelCard,
    reference: NDArray[np.bool_],
    mask: NDArray[np.bool_],
    loaded: LoadedCase,
    protocol: Protocol,
    seed: int,
) -> PlacedPrompt:
    """A click in the middle of the largest error of `mask` (K, J, I), if the model takes clicks."""
    if "point" not in card.prompts:
        return NOTHING
    clicked = next_click(reference, mask, None if protocol.click_ties == "challenge" else seed)
    if clicked is None:
        return NOTHING
    position_kji, positive = clicked
    point = Point.from_ijk(loaded.image.geometry, position_kji[::-1], positive)
    return point, PlacedKind.POSITIVE_CLICK if positive else PlacedKind.NEGATIVE_CLICK
