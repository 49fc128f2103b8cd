"""Conversion of answers to the content of a frame, JSON and arrays, and back; and their checks.

Masks travel as `packed_mask` packs them, so that an answer is read within one tick of a timer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from operator import gt
from typing import Any

import numpy as np

from ..consistency.lower_bound import LowerBound
from ..errors import WorkerError
from ..prompts.places import Place, PlaceQuestion
from ..prompts.prompt_list import PromptList
from ..volumes.region import Region, Shape, shape_triple
from . import consistency_frame
from .events import Answer, Predicted
from .frames import Array, finite_number
from .packed_mask import pack_mask, unpack_mask


def to_parts(answers: Mapping[int, Answer]) -> tuple[dict[str, Any], dict[str, Array]]:
    """The numbers and the arrays of all answers by name."""
    extents, consistency, bounds, seen, questions = {}, {}, {}, {}, {}
    arrays: dict[str, Array] = {}
    for label, answer in answers.items():
        extents[str(label)] = [answer.offset_kji, answer.mask_kji.shape]
        arrays[f"{label} mask"] = pack_mask(answer.mask_kji)
        if answer.seen is not None:
            seen[str(label)] = [answer.seen.start_kji, answer.seen.stop_kji]
        if answer.lower_bound is not None:
            bounds[str(label)] = asdict(answer.lower_bound)
        if answer.question is not None:
            questions[str(label)] = asdict(answer.question)
        if answer.consistency is not None:
            numbers, parts = consistency_frame.to_parts(answer.consistency)
            consistency[str(label)] = numbers
            arrays |= {f"{label} {name}": array for name, array in parts.items()}
    numbers = {
        "extents_kji": extents,
        "consistency": consistency,
        "lower_bounds": bounds,
        "seen_kji": seen,
        "questions": questions,
    }
    return numbers, arrays


def from_parts(
    data: Mapping[str, Any], arrays: Mapping[str, Array], most_voxels: int
) -> dict[int, Answer]:
    """The inverse of `to_parts`.

    Args:
        data: the numbers.
        arrays: the arrays.
        most_voxels: the number of voxels of the volume; a larger mask is not unpacked.

    Raises:
        KeyError, TypeError, ValueError: the content is invalid.
    """
    extents, consistency = data["extents_kji"], data["consistency"]
    bounds, seen = data["lower_bounds"], data["seen_kji"]
    questions = data["questions"]
    answers = {}
    for label, (offset_kji, shape) in extents.items():
        packed, shape_kji = arrays[f"{label} mask"], shape_triple(shape)
        if packed.dtype != np.uint8 or packed.ndim != 1:
            raise ValueError(f"a packed mask of {packed.dtype} with {packed.ndim} axes")
        if min(shape_kji) < 0 or math.prod(shape_kji) > most_voxels:
            raise ValueError(f"a mask of the shape {shape_kji} in {most_voxels} voxels")
        numbers = consistency.get(label)
        own = {name.removeprefix(f"{label} "): array for name, array in arrays.items()}
        answers[int(label)] = Answer(
            shape_triple(offset_kji),
            unpack_mask(packed, shape_kji),
            None if numbers is None else consistency_frame.from_parts(numbers, own),
            _bound(bounds.get(label)),
            None if label not in seen else _region(*seen[label]),
            _question(questions.get(label)),
        )
    return answers


def _region(start_kji: Any, stop_kji: Any) -> Region:
    return Region(shape_triple(start_kji), shape_triple(stop_kji))


def _bound(item: Any) -> LowerBound | None:
    if item is None:
        return None
    value, unlike = item["value"], item["unlike"]
    if not isinstance(unlike, str) or not (value is None or 0 <= value <= 1):
        raise ValueError(f"a bound of {value} because of {unlike}")
    return LowerBound(None if value is None else float(value), unlike)


def _question(item: Any) -> PlaceQuestion | None:
    if item is None:
        return None
    places = tuple(
        Place(
            int(place["number"]),
            _position(place["position_ras"]),
            finite_number(place["millilitres"]),
            finite_number(place["score"]),
        )
        for place in item["places"]
    )
    if not places or len({place.number for place in places}) != len(places):
        raise ValueError(f"a question with the places {[place.number for place in places][:9]}")
    return PlaceQuestion(places, finite_number(item["agreement"]), finite_number(item["bound"]))


def _position(values: Any) -> tuple[float, float, float]:
    r, a, s = map(finite_number, values)
    return r, a, s


def check_answers(event: Predicted, prompts: PromptList, volume_shape: Shape) -> None:
    """Check that answers are for the objects that were requested, and within the volume.

    Raises:
        WorkerError: they are not.
    """
    wanted = {label for label, _ in prompts.entries}
    if event.answers.keys() != wanted:
        raise WorkerError(
            f"The worker answers for the objects {sorted(event.answers)[:9]}, not for "
            f"{sorted(wanted)[:9]}; install the same version of medsegfm at both ends."
        )
    for answer in event.answers.values():
        extents = [(answer.offset_kji, answer.mask_kji.shape)]
        if answer.consistency is not None:
            region = answer.consistency.region
            extents.append((region.start_kji, region.shape_kji))
        if answer.seen is not None:
            extents.append((answer.seen.start_kji, answer.seen.shape_kji))
        for start, shape in extents:
            stop = tuple(a + n for a, n in zip(start, shape, strict=True))
            # An empty mask has no place.
            if 0 not in shape and (min(start) < 0 or any(map(gt, stop, volume_shape))):
                raise WorkerError(
                    f"The worker answers with voxels from {start} to {stop} (k, j, i) in a volume "
                    f"of {volume_shape}; install the same version of medsegfm at both ends."
                )
