"""Objects followed with a tracker, and corrected by clicks; most of it with one that sees light."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import torch
from bright_sam3 import SIDE, Bright, segmenter
from medical_sam3_checkpoints import SIDE as TINY_SIDE
from medical_sam3_checkpoints import (
    TRACKED_WIDTH,
    random_sam3,
    random_tracker,
    tiny_config,
    write_checkpoint,
)
from numpy.typing import NDArray
from sam3_references import features_of, transformers_own
from sample_volumes import ball
from transformers import Sam3TrackerVideoInferenceSession

from MedSegFMLib import Box, Geometry, Point, Session, Text, Volume, create
from MedSegFMLib.errors import Cancelled, PromptError
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.medical_sam3.preprocessing import sam3_preprocessor
from MedSegFMLib.models.medical_sam3.runtime import SliceAnswer
from MedSegFMLib.models.medical_sam3.segmenter import MedicalSam3Segmenter
from MedSegFMLib.models.medical_sam3.tracker import sam3_tracker
from MedSegFMLib.models.planar.fusion import halved
from MedSegFMLib.models.planar.grey_levels import GreyWindow
from MedSegFMLib.models.planar.propagation import Marks
from MedSegFMLib.models.planar.slice_tracker import runs
from MedSegFMLib.models.sam.encoding import cut_stacks
from MedSegFMLib.models.sam.slice_tracking import SliceTracking
from MedSegFMLib.progress import no_progress
from MedSegFMLib.segmenter import Logits
from MedSegFMLib.volumes.region import Region

pytestmark = pytest.mark.usefixtures("one_thread")


class Surer(Bright):
    """The more of a slice is bright, the surer."""

    def decode(self, features: Any, questions: Any, threshold: float, progress: Any) -> Any:
        found = super().decode(features, questions, threshold, progress)
        areas = [0.0 if a.logits is None else (a.logits > 0).mean() for a in found]
        return [SliceAnswer(area, a.logits) for area, a in zip(areas, found, strict=True)]


class BrightTracker:
    """What is bright, once something was held; a click off the object takes half of it away."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int]] = []

    def clicked(
        self, features: NDArray[Any], clicks: Sequence[Any], before: Logits | None
    ) -> Logits:
        self.told.append(("click", len(clicks)))
        logits = seen(features)
        if not all(yes for _, _, yes in clicks):
            assert before is not None
            logits[:, : SIDE // 2] = -8
        return logits

    def begin(self, slices: int, backward: bool) -> BrightTrack:
        self.told.append(("begin", -1 if backward else 1))
        return BrightTrack(self)

    def indices(self, what: str) -> list[int]:
        return [index for said, index in self.told if said == what]


class BrightTrack:
    def __init__(self, tracker: BrightTracker) -> None:
        self._told = tracker.told
        self._held = 0

    def hold(self, index: int, features: NDArray[Any], mask: NDArray[np.bool_]) -> None:
        self._told.append(("hold", index))
        self._held += int(mask.any())

    def follow(self, index: int, features: NDArray[Any]) -> Logits:
        assert self._held
        self._told.append(("follow", index))
        return seen(features)


def seen(features: NDArray[Any]) -> Logits:
    return np.asarray(8 * features.astype(np.float32).reshape(SIDE, SIDE))


def following(
    planes: Sequence[str] = ("axial",), **changes: Any
) -> tuple[MedicalSam3Segmenter, BrightTracker, Bright]:
    tracker, runtime = BrightTracker(), Surer()
    return segmenter(runtime, planes, tracker=tracker, **changes), tracker, runtime


def session_of(model: MedicalSam3Segmenter, volume: Volume, *prompts: Any) -> Session:
    session = Session(model, volume)
    for prompt in prompts:
        session.add(prompt)
    return session


@pytest.fixture
def grid(directions: np.ndarray) -> Geometry:
    return Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5), directions, (3, -20, 11))


def test_slices_are_reached_from_the_nearest_known_one() -> None:
    assert runs([5], range(3, 9), 1) == {5: [6, 7, 8]}
    assert runs([5], range(3, 9), -1) == {5: [4, 3]}
    assert runs([2, 6], range(9), 1) == {2: [3, 4], 6: [7, 8]}
    assert runs([2, 6], range(9), -1) == {6: [5], 2: [1, 0]}
    assert runs([2, 7], {1, 2, 3, 6, 7}, 1) == {2: [3], 7: []}
    # What is nearer beyond a gap reaches nothing.
    assert runs([0, 20], {0, *range(3, 21)}, -1) == {20: [*range(19, 2, -1)], 0: []}


def test_words_begin_where_they_are_surest_and_go_forward_then_backward(grid: Geometry) -> None:
    volume, mask, _ = ball(grid)
    model, tracker, runtime = following()
    prediction = session_of(model, volume, Text("ball")).predict()
    assert dice(mask, prediction.mask.array_kji) > 0.9
    stack = model.encode(volume, None, no_progress).stacks["axial"]
    areas = stack.plane.stack(mask).sum(axis=(1, 2))
    asked = range((len(areas) - 1) % model._stride(stack) // 2, len(areas), model._stride(stack))
    key = max(asked, key=lambda index: (areas[index], -index))
    assert len(runtime.asked) == len(asked)
    begins = [n for n, (said, _) in enumerate(tracker.told) if said == "begin"]
    assert [tracker.told[n] for n in begins] == [("begin", 1), ("begin", -1)]
    assert tracker.told[1] == tracker.told[begins[1] + 1] == ("hold", key)
    forward, backward = tracker.told[2 : begins[1]], tracker.told[begins[1] + 2 :]
    inside = np.flatnonzero(areas)
    # Up to the first slice on which nothing is left.
    assert forward == [("follow", index) for index in range(key + 1, inside[-1] + 2)]
    assert backward == [("follow", index) for index in range(key - 1, inside[0] - 2, -1)]


def test_a_box_is_asked_for_its_surest_slice_and_bounds_the_way() -> None:
    volume, mask, box = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    model, tracker, runtime = following()
    assert dice(mask, session_of(model, volume, box).predict().mask.array_kji) > 0.9
    assert {question.phrase for question in runtime.asked} == {"visual"}
    assert all(question.box is not None for question in runtime.asked)
    spanned = int(mask.any(axis=(1, 2)).sum())
    assert len(tracker.indices("follow")) == spanned - 1


def test_each_of_several_boxes_is_followed() -> None:
    geometry = Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5))
    array = np.full(geometry.shape_kji, 10, np.float32)
    array[3:9, 8:20, 6:16] = array[17:27, 15:33, 14:30] = 100
    volume = Volume(array, geometry)
    first = Box.from_ijk(geometry, (6, 8, 3), (16, 20, 9))
    second = Box.from_ijk(geometry, (14, 15, 17), (30, 33, 27))
    model, tracker, _ = following()
    found = model.predict(
        model.encode(volume, None, no_progress), [first, second], None, no_progress
    )
    assert dice(array > 50, found.mask.array_kji) > 0.9
    assert len(set(tracker.indices("hold"))) == 2
    assert len(tracker.indices("follow")) == 5 + 9


def test_clicks_alone_are_enough(grid: Geometry) -> None:
    volume, mask, _ = ball(grid)
    inside = np.argwhere(mask).mean(axis=0).round().astype(int)
    model, tracker, runtime = following()
    click = Point.from_ijk(grid, [int(n) for n in inside[::-1]])
    prediction = session_of(model, volume, click).predict()
    assert prediction.mask.array_kji[tuple(inside)]
    assert dice(mask[prediction.region.slices], prediction.logits_kji > 0) > 0.9
    assert not runtime.asked and tracker.indices("click") == [1]


def test_a_click_off_the_object_alone_says_nothing() -> None:
    volume, _, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    model, tracker, _ = following()
    encoding = model.encode(volume, None, no_progress)
    click = Point.from_ijk(volume.geometry, (18, 20, 15), positive=False)
    prediction = model.predict(encoding, [click], None, no_progress)
    assert not prediction.mask.array_kji.any() and not tracker.told


def test_a_click_corrects_its_slice_and_the_way_is_gone_again_from_both() -> None:
    volume, mask, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    model, tracker, runtime = following()
    session = session_of(model, volume, Text("ball"))
    first = session.predict()
    stack = model.encode(volume, None, no_progress).stacks["axial"]
    key = tracker.indices("hold")[0]
    clicked = key + 4
    row, column = np.argwhere(mask[clicked])[0]
    tracker.told.clear()
    asked = len(runtime.asked)
    click = Point.from_ijk(volume.geometry, (int(column), int(row), clicked), positive=False)
    session.add(click)
    second = session.predict()
    assert stack.plane.axes_kji[0] == 0 and len(runtime.asked) == asked
    # What was found before the click is remembered.
    assert tracker.indices("click") == [1]
    assert tracker.indices("hold") == [key, clicked, key, clicked]
    follows = tracker.indices("follow")
    assert follows[:2] == [key + 1, key + 2] and follows[-1] < key
    assert len(follows) == len(set(follows)) and clicked not in follows
    changed = (first.logits_kji > 0) != (second.logits_kji > 0)
    assert changed.any(axis=(1, 2)).nonzero()[0].tolist() == [clicked]
    assert not second.mask.array_kji[clicked, row, column]
    encoding = model.encode(volume, None, no_progress)
    again = model.predict(encoding, [Text("ball"), click], None, no_progress)
    assert np.array_equal(again.logits_kji > 0, second.mask.array_kji > 0)


def test_a_click_that_empties_its_slice_ends_the_way_there_and_takes_nothing_before_it() -> None:
    volume, _, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    model, tracker, _ = following()
    session = session_of(model, volume, Text("ball"))
    first = session.predict().mask.array_kji
    key = tracker.indices("hold")[0]
    last = int(np.flatnonzero(first.any(axis=(1, 2)))[-1])
    emptied = last - 1
    row, column = np.argwhere(first[emptied])[0]
    tracker.told.clear()
    session.add(Point.from_ijk(volume.geometry, (column, row, emptied), positive=False))
    with patch.object(tracker, "clicked", lambda *_: np.full((SIDE, SIDE), -8, np.float32)):
        second = session.predict().mask.array_kji
    assert key < emptied - 1 and emptied in tracker.indices("hold")
    assert np.array_equal(second[:emptied], first[:emptied])
    assert not second[emptied:].any()


def test_background_where_the_object_does_not_reach_changes_nothing_else() -> None:
    volume, _, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    model, tracker, _ = following()
    encoding = model.encode(volume, None, no_progress)
    far = Point.from_ijk(volume.geometry, (1, 1, 0), positive=False)
    first = model.predict(encoding, [Text("ball")], None, no_progress)
    second = model.predict(encoding, [Text("ball"), far], None, no_progress)
    assert np.array_equal(first.mask.array_kji, second.mask.array_kji)
    assert not tracker.indices("click")


def test_three_planes_are_each_followed(grid: Geometry) -> None:
    volume, mask, _ = ball(grid)
    model, tracker, runtime = following(("axial", "coronal", "sagittal"))
    prediction = session_of(model, volume, Text("ball")).predict()
    assert set(prediction.planes) == {"axial", "coronal", "sagittal"}
    assert dice(mask, prediction.mask.array_kji) > 0.9
    assert tracker.indices("begin") == [1, -1] * 3
    assert runtime.looked < sum(grid.shape_kji)


def test_what_the_words_do_not_find_is_not_followed() -> None:
    volume, _, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    model, tracker, _ = following(("axial", "coronal"))
    prediction = session_of(model, volume, Text("nothing")).predict()
    assert not prediction.mask.array_kji.any() and not tracker.told


def test_following_can_be_cancelled_at_every_slice() -> None:
    volume, _, _ = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    model, tracker, _ = following()
    whole = following()
    session_of(whole[0], volume, Text("ball")).predict()
    encoding = model.encode(volume, None, no_progress)
    for most in range(len(whole[1].indices("follow"))):

        def cancel(fraction: float, phrase: str, most: int = most) -> None:
            if len(tracker.indices("follow")) >= most and tracker.told:
                raise Cancelled("stopped")

        tracker.told.clear()
        with pytest.raises(Cancelled):
            model.predict(encoding, [Text("ball")], None, cancel)
        assert len(tracker.indices("follow")) == most
    # Nothing half done is remembered.
    told: list[float] = []
    model.predict(encoding, [Text("ball")], None, lambda fraction, _: told.append(fraction))
    assert len(tracker.indices("follow")) > most and told == sorted(told)


def test_clicks_without_a_tracker_are_refused_in_a_sentence(tmp_path: Path) -> None:
    volume, _, box = ball(Geometry.from_spacing((30, 40, 36), (0.8, 1.0, 1.5)))
    click = Point.from_ijk(volume.geometry, (18, 20, 15))
    plain = segmenter(Bright())
    assert plain.card.prompts == ("text", "box", "mask")
    with pytest.raises(PromptError, match=r"tracker alone.*sam3\.pt.*or words or a box"):
        session_of(plain, volume, box, click)
    with pytest.raises(PromptError, match="tracker alone"):
        plain.predict(plain.encode(volume, None, no_progress), [box, click], None, no_progress)
    path = write_checkpoint(tmp_path)
    model = create("medical-sam3", "cpu", weights=path, propagation="boxes")
    with pytest.raises(PromptError, match="propagation=boxes leaves out"):
        session_of(model, volume, click)
    for propagation in ("auto", "tracker"):
        model = create("medical-sam3", "cpu", weights=path, propagation=propagation)
        assert session_of(model, volume, click).predict().mask.array_kji[15, 20, 18]


def test_a_volume_is_followed_as_transformers_follows_its_slices() -> None:
    network: Any = random_sam3(config=tiny_config(width=TRACKED_WIDTH))
    tracker = random_tracker(network.config)
    device = torch.device("cpu")
    shape = (7, TINY_SIDE, TINY_SIDE)
    array = np.random.default_rng(0).normal(100, 30, shape).astype(np.float32)
    volume = Volume(array, Geometry.from_spacing(shape, (1, 1, 1)))
    region = Region.whole(shape)
    window = GreyWindow.from_volume(volume)
    stack = cut_stacks(array, volume.geometry, region, window, ["axial"], True)["axial"]
    preprocessor = sam3_preprocessor(TINY_SIDE)
    frames = torch.from_numpy(
        preprocessor.images(stack.slice_images, preprocessor.resize_plan(shape[1:]))
    )
    features = features_of(frames, network)
    rows, columns = np.ogrid[:TINY_SIDE, :TINY_SIDE]
    logits = halved(np.where((rows - 20) ** 2 + (columns - 30) ** 2 < 150, 8.0, -8.0))
    follower = SliceTracking(
        sam3_tracker(tracker, device), stack, preprocessor, lambda index, _: features[index]
    )
    # A box on every slice, so that the way does not end where the random network sees nothing.
    marks = Marks(shape, (region,))
    found = follower.found(marks, {3: logits}, lambda _, find: find(), no_progress)
    theirs = transformers_own(network, tracker)
    reached = {3}
    for backward in (False, True):
        session: Any = Sam3TrackerVideoInferenceSession(video=frames, dtype=torch.float32)
        mask = torch.from_numpy(logits > 0)[None, None].float()
        session.add_mask_inputs(session.obj_id_to_idx(1), 3, mask)
        session.obj_with_new_inputs = [1]
        for wanted in theirs.propagate_in_video_iterator(session, 3, reverse=backward):
            if wanted.frame_idx != 3:
                there = preprocessor.resize_logits(
                    wanted.pred_masks[0], preprocessor.resize_plan(shape[1:])
                )[0]
                expected = halved(there.numpy())
                close = np.isclose(found[wanted.frame_idx], expected, atol=1e-2)
                assert close.all()
                reached.add(wanted.frame_idx)
    assert reached == set(range(7)) == set(found)
    assert np.array_equal(found[3], logits)


def test_boxes_and_tracker_give_answers_of_their_own(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path)
    volume, _, _ = ball(Geometry.from_spacing((12, 22, 24), (0.9, 0.9, 2.1)))
    box = Box.from_ijk(volume.geometry, (4, 3, 1), (20, 18, 11))
    answers = [
        session_of(
            create("medical-sam3", "cpu", weights=path, propagation=way), volume, box
        ).predict()
        for way in ("boxes", "tracker", "auto")
    ]
    assert all(np.isfinite(answer.logits_kji).all() for answer in answers)
    assert np.array_equal(answers[1].logits_kji, answers[2].logits_kji)
    assert not np.array_equal(answers[0].logits_kji, answers[1].logits_kji)
