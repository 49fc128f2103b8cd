"""What the planes say, on its way from the worker."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from consistency_fakes import answer_of, noisy_answer

from MedSegFMLib import Geometry
from MedSegFMLib.consistency import Consistency, measure
from MedSegFMLib.errors import WorkerError
from MedSegFMLib.worker.consistency_frame import from_parts, to_parts
from MedSegFMLib.worker.events import Answer, Predicted
from MedSegFMLib.worker.messages import event_frame, parse_event


def travelled(consistency: Consistency) -> Consistency:
    numbers, arrays = to_parts(consistency)
    return from_parts(json.loads(json.dumps(numbers)), arrays)


def test_everything_comes_back_the_map_to_three_digits(geometry: Geometry) -> None:
    sent = measure(noisy_answer(geometry), [])
    back = travelled(sent)
    for name in ("region", "agreement", "expected_dice", "intersection", "hot_spots", "slices"):
        assert getattr(back, name) == getattr(sent, name), name
    assert back.suggestion == sent.suggestion is not None
    assert back.disagreement_kji.dtype == np.float32
    assert np.allclose(back.disagreement_kji, sent.disagreement_kji, atol=5e-4)
    assert list(back.masks) == list(sent.masks)
    for name, mask in sent.masks.items():
        assert back.masks[name].dtype == bool and np.array_equal(back.masks[name], mask)


def test_what_cannot_be_told_comes_back_as_none() -> None:
    geometry = Geometry.from_spacing((1, 4, 5))
    empty = np.zeros((1, 4, 5), dtype=np.float32)
    one_plane = measure(answer_of(geometry, {"coronal": empty}), [])
    back = travelled(one_plane)
    assert (back.agreement, back.expected_dice, back.intersection) == (None, None, None)
    assert back.suggestion is None and back.slices == one_plane.slices
    assert list(back.masks) == ["coronal"]


def test_two_objects_do_not_mix_up_their_parts(geometry: Geometry) -> None:
    first = measure(noisy_answer(geometry), [])
    second = measure(noisy_answer(geometry, 1), [])
    mask = np.ones((1, 1, 1), np.uint8)
    answers = {1: Answer((0, 0, 0), mask, first), 11: Answer((0, 0, 0), mask, second)}
    back = parse_event(event_frame(Predicted(1, answers)), 0)
    assert isinstance(back, Predicted)
    for label, sent in ((1, first), (11, second)):
        found = back.answers[label].consistency
        assert found is not None and list(found.masks) == list(sent.masks)
        assert np.allclose(found.disagreement_kji, sent.disagreement_kji, atol=5e-4)


def drop(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda numbers: numbers.pop(name)


def put(name: str, value: object) -> Callable[[dict[str, Any]], object]:
    return lambda numbers: numbers.update({name: value})


@pytest.mark.parametrize(
    "damage",
    [
        *map(drop, ("start_kji", "agreement", "planes", "slices", "hot_spots")),
        put("stop_kji", [3, 3]),
        put("stop_kji", [0, 0, 0]),
        put("stop_kji", [99, 99, 99]),
        put("planes", ["axial", "diagonal"]),
        put("planes", None),
        put("agreement", "high"),
        put("slices", [1, 2]),
        put("slices", {"axial": ["x"]}),
        put("hot_spots", [{}]),
        put("hot_spots", 3),
    ],
)
def test_damaged_numbers_are_a_worker_error(damage: Callable[[dict[str, Any]], object]) -> None:
    consistency = measure(noisy_answer(Geometry.from_spacing((7, 8, 9))), [])
    mask = np.ones((1, 1, 1), np.uint8)
    frame = event_frame(Predicted(1, {1: Answer((0, 0, 0), mask, consistency)}))
    data = copy.deepcopy(dict(frame.data))
    damage(data["consistency"]["1"])
    with pytest.raises(WorkerError, match="damaged"):
        parse_event(type(frame)(frame.kind, data, frame.arrays), 0)


@pytest.mark.parametrize("name", ["disagreement", "masks"])
@pytest.mark.parametrize(
    "damaged", [None, np.zeros((2, 2, 2), np.float16), np.zeros((3, 4, 5), np.complex128)]
)
def test_damaged_arrays_are_refused(name: str, damaged: np.ndarray | None) -> None:
    numbers, arrays = to_parts(measure(noisy_answer(Geometry.from_spacing((7, 8, 9))), []))
    del arrays[name]
    if damaged is not None:
        arrays[name] = damaged
    with pytest.raises((KeyError, TypeError, ValueError)):
        from_parts(numbers, arrays)
