"""Which slices a walk asks, with what, in which order; the network is made by hand."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from MedSegFMLib import Region
from MedSegFMLib.errors import Cancelled
from MedSegFMLib.models.planar.propagation import (
    SLACK,
    Marks,
    PixelPrompt,
    SliceRequest,
    propagate,
    propagate_together,
)
from MedSegFMLib.progress import Progress, no_progress
from MedSegFMLib.segmenter import Logits

SHAPE = (20, 40, 50)
BOX = Region((4, 10, 12), (13, 30, 35))
RECTANGLE = (10, 12, 30, 35)
Decoder = Callable[[int, PixelPrompt], Logits]


def square(top: int, left: int, bottom: int, right: int) -> Logits:
    logits = np.full(SHAPE[1:], -5, np.float32)
    logits[top:bottom, left:right] = 5
    return logits


def steps_of(marks: Marks, decode: Decoder) -> tuple[list[list[SliceRequest]], dict[int, Logits]]:
    """What each step asks, and what the walk returns."""
    walking, steps = propagate(marks), []
    try:
        asks = next(walking)
        while True:
            steps.append(asks)
            asks = walking.send([decode(*ask) for ask in asks])
    except StopIteration as end:
        return steps, end.value


def asked(marks: Marks, decode: Decoder) -> dict[int, PixelPrompt]:
    """The last prompt of each slice."""
    return {index: prompt for step in steps_of(marks, decode)[0] for index, prompt in step}


def same(index: int, prompt: PixelPrompt) -> Logits:
    return square(15, 20, 25, 28)


def nothing(index: int, prompt: PixelPrompt) -> Logits:
    return square(0, 0, 0, 0)


def test_a_box_is_walked_from_its_middle_slice_outward_both_ways_in_step() -> None:
    steps, _ = steps_of(Marks(SHAPE, (BOX,)), same)
    assert [[index for index, _ in step] for step in steps] == [
        [8],
        [7, 9],
        [6, 10],
        [5, 11],
        [4, 12],
    ]


def test_only_the_slices_that_the_box_spans_are_visited() -> None:
    _, found = steps_of(Marks(SHAPE, (BOX,)), same)
    assert sorted(found) == list(range(4, 13))
    assert np.array_equal(found[4], square(15, 20, 25, 28))


def test_a_slice_is_prompted_with_its_neighbours_mask_and_five_pixels() -> None:
    def shrinking(index: int, prompt: PixelPrompt) -> Logits:
        far = abs(index - 8)
        return square(15 + far, 20, 25 - far, 28)

    prompts = asked(Marks(SHAPE, (BOX,)), shrinking)
    assert prompts[8] == PixelPrompt(RECTANGLE)
    assert prompts[9] == PixelPrompt((10, 15, 30, 33))
    assert prompts[11] == PixelPrompt((12, 15, 28, 33))


def test_after_an_empty_mask_the_last_known_box_is_used() -> None:
    def gone_at_seven(index: int, prompt: PixelPrompt) -> Logits:
        return nothing(index, prompt) if index == 7 else same(index, prompt)

    prompts = asked(Marks(SHAPE, (BOX,)), gone_at_seven)
    assert prompts[6] == prompts[7] == PixelPrompt((10, 15, 30, 33))
    assert asked(Marks(SHAPE, (BOX,)), nothing)[4] == PixelPrompt(RECTANGLE)


def test_a_mask_that_runs_away_is_held_to_the_box_and_a_little_more() -> None:
    prompts = asked(Marks(SHAPE, (BOX,)), lambda index, prompt: square(0, 0, 40, 50))
    assert prompts[5].box == (10 - SLACK, 12 - SLACK, 30 + SLACK, 35 + SLACK)


def test_a_mask_wholly_outside_the_box_counts_as_empty() -> None:
    prompts = asked(Marks(SHAPE, (BOX,)), lambda index, prompt: square(0, 0, 3, 3))
    assert prompts[4] == PixelPrompt(RECTANGLE)


def test_a_clicked_slice_is_asked_again_with_its_own_box_and_the_click() -> None:
    without = asked(Marks(SHAPE, (BOX,)), same)
    prompts = asked(Marks(SHAPE, (BOX,), ((11, 20, 24, False),)), same)
    assert prompts[11] == PixelPrompt(without[11].box, ((20, 24, False),))
    assert prompts[8] == PixelPrompt(RECTANGLE)


def test_slices_belong_to_the_nearest_anchor_and_are_reached_from_it() -> None:
    def by_click(index: int, prompt: PixelPrompt) -> Logits:
        # The clicked slice's mask is another one, and so are those that follow from it.
        clicked = bool(prompt.points) or prompt.box == (15, 17, 27, 29)
        return square(20, 22, 22, 24) if clicked else same(index, prompt)

    marks = Marks(SHAPE, (BOX,), ((12, 20, 24, True),))
    _, found = steps_of(marks, by_click)
    narrow = [index for index in found if (found[index] > 0).sum() == 4]
    assert sorted(narrow) == [11, 12]


def test_a_further_click_asks_what_was_asked_before_and_what_follows_from_it_alone() -> None:
    before = steps_of(Marks(SHAPE, (BOX,)), same)[0]
    after = steps_of(Marks(SHAPE, (BOX,), ((12, 20, 24, True),)), same)[0]
    assert after[: len(before)] == before
    known = {ask for step in before for ask in step}
    new = {index for step in after for index, prompt in step if (index, prompt) not in known}
    assert new == {12}


def test_a_click_on_the_object_beyond_its_box_widens_the_box_of_that_slice() -> None:
    prompts = asked(Marks(SHAPE, (BOX,), ((8, 5, 40, True),)), same)
    assert prompts[8].box == (0, 12, 30, 46)
    assert prompts[8].points == ((5, 40, True),)


def test_a_click_on_the_object_beyond_the_slices_of_its_box_is_walked_to() -> None:
    _, found = steps_of(Marks(SHAPE, (BOX,), ((16, 20, 24, True),)), same)
    assert sorted(found) == list(range(4, 17))


def test_a_background_click_beyond_the_slices_of_the_box_visits_nothing() -> None:
    marks = Marks(SHAPE, (BOX,), ((16, 20, 24, False),))
    assert steps_of(marks, same)[0] == steps_of(Marks(SHAPE, (BOX,)), same)[0]


def test_without_a_box_the_walk_goes_on_until_the_mask_is_empty() -> None:
    def ball(index: int, prompt: PixelPrompt) -> Logits:
        return same(index, prompt) if 6 <= index <= 11 else nothing(index, prompt)

    prompts = asked(Marks(SHAPE, (), ((9, 20, 24, True),)), ball)
    assert sorted(prompts) == list(range(5, 13))
    assert prompts[9] == PixelPrompt(None, ((20, 24, True),))
    assert prompts[10].box == (10, 15, 30, 33)


def test_without_a_box_the_walk_ends_where_the_slices_do() -> None:
    _, found = steps_of(Marks(SHAPE, (), ((9, 20, 24, True),)), same)
    assert sorted(found) == list(range(SHAPE[0]))


def test_without_a_box_a_later_click_starts_where_the_first_did_not_come() -> None:
    def two_parts(index: int, prompt: PixelPrompt) -> Logits:
        return nothing(index, prompt) if index in (8, 9) else same(index, prompt)

    marks = Marks(SHAPE, (), ((5, 20, 24, True), (15, 20, 24, True), (8, 3, 3, False)))
    prompts = asked(marks, two_parts)
    assert prompts[15] == PixelPrompt(None, ((20, 24, True),))
    assert sorted(prompts) == list(range(SHAPE[0]))


def test_two_boxes_have_a_middle_slice_each_and_nothing_between_is_visited() -> None:
    boxes = (BOX, Region((16, 2, 2), (19, 8, 8)))
    steps, found = steps_of(Marks(SHAPE, boxes), same)
    assert dict(steps[0]) == {
        8: PixelPrompt(RECTANGLE),
        17: PixelPrompt((2, 2, 8, 8)),
    }
    assert sorted(found) == [*range(4, 13), 16, 17, 18]


def test_a_large_box_beside_a_small_one_is_visited_whole() -> None:
    boxes = (Region((0, 10, 12), (15, 30, 35)), Region((17, 2, 2), (18, 8, 8)))
    _, found = steps_of(Marks(SHAPE, boxes), same)
    assert sorted(found) == [*range(15), 17]


def test_nothing_is_asked_without_a_box_or_a_click_on_the_object() -> None:
    assert steps_of(Marks(SHAPE, (), ((5, 20, 24, False),)), same) == ([], {})


def test_several_stacks_are_walked_in_step() -> None:
    sizes = []

    def ask(asks: list[tuple[str, int, PixelPrompt]], progress: Progress) -> list[Logits]:
        sizes.append(len(asks))
        return [square(15, 20, 25, 28) for _ in asks]

    marks = {
        "axial": Marks(SHAPE, (BOX,)),
        "coronal": Marks(SHAPE, (Region((0, 1, 1), (3, 9, 9)),)),
    }
    found = propagate_together(marks, ask, no_progress)
    assert sizes == [2, 4, 2, 2, 2]
    assert sorted(found["axial"]) == list(range(4, 13)) and sorted(found["coronal"]) == [0, 1, 2]


def test_every_step_tells_progress_and_can_be_cancelled() -> None:
    told: list[float] = []

    def tell(fraction: float, phrase: str) -> None:
        told.append(fraction)
        if len(told) == 3:
            raise Cancelled("stopped")

    def ask(asks: list[tuple[str, int, PixelPrompt]], progress: Progress) -> list[Logits]:
        return [square(15, 20, 25, 28) for _ in asks]

    with pytest.raises(Cancelled):
        propagate_together({"axial": Marks(SHAPE, (BOX,))}, ask, tell)
    assert told == sorted(told) and told[-1] < 1
