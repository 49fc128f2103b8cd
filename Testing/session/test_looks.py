"""Clicks without a box on a model that chooses its regions, and what a later click changes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from MedSegFMLib import (
    Box,
    Geometry,
    Point,
    Prediction,
    Prompt,
    Region,
    Scribble,
    Session,
    Volume,
)
from MedSegFMLib.progress import Progress
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.segmenter import Encoding, ModelCard, RegionRule
from MedSegFMLib.session.looks import RegionChooser

CARD = ModelCard(
    name="chooser",
    title="Chooser",
    summary="Bright voxels, in cubes around clicks.",
    prompts=("box", "point", "scribble"),
    modalities=("any",),
    dimensions=3,
    code_licence="Apache-2.0",
    weights_licence=None,
    region_rule=RegionRule(2, 0.0, 2, shared=False, chooses_size=True),
    uses_previous=True,
)
SHAPE = (30, 30, 60)


class Chooser:
    """Bright is foreground, but for background marks; chooses a cube of 9 voxels."""

    card, classes = CARD, ()

    def __init__(self) -> None:
        self.predicted: list[tuple[Region, tuple[Prompt, ...]]] = []
        self.allowed: list[int | None] = []

    def choose_region(
        self,
        volume: Volume,
        prompts: Sequence[Prompt],
        mark: Prompt,
        most_voxels: int | None,
        progress: Progress,
    ) -> Region:
        self.allowed.append(most_voxels)
        k, j, i = to_voxels([mark], volume.geometry).voxels_kji[0].tolist()
        voxel = Region((k, j, i), (k + 1, j + 1, i + 1))
        return voxel.grown((4, 4, 4), volume.geometry.shape_kji)

    def encode(self, volume: Volume, region: Region | None, progress: Progress) -> Encoding:
        assert region is not None
        self.volume = volume
        return Encoding(volume.geometry, region, 1000)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        self.predicted.append((encoding.region, tuple(prompts)))
        logits = self.volume.array_kji[encoding.region.slices].astype(np.float32) - 50
        marks = to_voxels(prompts, encoding.geometry).within(encoding.region)
        logits[tuple(marks.background_kji.T)] = -1
        logits[tuple(marks.foreground_kji.T)] = 1
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)


@pytest.fixture
def volume() -> Volume:
    """Two bright cubes of 3 voxels, far from each other."""
    array = np.zeros(SHAPE, np.float32)
    array[14:17, 14:17, 9:12] = array[14:17, 14:17, 49:52] = 100
    return Volume(array, Geometry.from_spacing(SHAPE, (1, 1, 1)))


def click(volume: Volume, ijk: tuple[int, int, int], positive: bool = True) -> Point:
    return Point.from_ijk(volume.geometry, ijk, positive)


def around(ijk: tuple[int, int, int]) -> Region:
    i, j, k = ijk
    return Region((k - 4, j - 4, i - 4), (k + 5, j + 5, i + 5))


LEFT, RIGHT = (10, 15, 15), (50, 15, 15)


def test_a_first_click_is_seen_in_the_region_that_the_model_chooses(volume: Volume) -> None:
    model = Chooser()
    assert isinstance(model, RegionChooser)
    session = Session(model, volume)
    session.add(click(volume, LEFT))
    assert session.predict().region == around(LEFT)
    assert [region for region, _ in model.predicted] == [around(LEFT)]


def test_a_box_leaves_nothing_to_choose(volume: Volume) -> None:
    model = Chooser()
    session = Session(model, volume)
    session.add(Box.from_ijk(volume.geometry, (9, 14, 14), (12, 17, 17)))
    session.add(click(volume, LEFT))
    assert session.predict().region == Region((11, 11, 6), (20, 20, 15))


def test_a_click_beyond_the_region_adds_what_is_around_it(volume: Volume) -> None:
    model = Chooser()
    session = Session(model, volume)
    session.add(click(volume, LEFT))
    session.predict()
    session.add(click(volume, RIGHT))
    assert np.array_equal(session.labelmap().array_kji > 0, volume.array_kji > 50)
    second = click(volume, RIGHT)
    assert model.predicted[1:] == [(around(RIGHT), (second,))]
    # A first look may be of any size, a later one no larger.
    assert model.allowed == [None, 9**3]


def test_a_click_corrects_the_part_that_it_is_in_and_no_other(volume: Volume) -> None:
    model = Chooser()
    session = Session(model, volume)
    for ijk in (LEFT, RIGHT):
        session.add(click(volume, ijk))
    before = session.predict().mask.array_kji
    del model.predicted[:]
    session.add(click(volume, (49, 14, 14), positive=False))
    after = session.predict().mask.array_kji
    assert [region for region, _ in model.predicted] == [around(RIGHT)]
    assert np.argwhere(before != after).tolist() == [[14, 14, 49]]


def test_background_far_from_the_object_changes_nothing(volume: Volume) -> None:
    model = Chooser()
    session = Session(model, volume)
    session.add(click(volume, LEFT))
    before = session.predict()
    del model.predicted[:]
    session.add(click(volume, RIGHT, positive=False))
    assert session.predict().region == before.region and not model.predicted
    session.undo()
    assert np.array_equal(session.predict().logits_kji, before.logits_kji)


def test_background_may_be_clicked_first(volume: Volume) -> None:
    session = Session(Chooser(), volume)
    session.add(click(volume, (9, 14, 14), positive=False))
    session.add(click(volume, LEFT))
    found = session.predict()
    expected = volume.array_kji > 50
    expected[:, :, 30:] = False
    expected[14, 14, 9] = False
    assert found.region == around(LEFT)
    assert np.array_equal(found.mask.array_kji > 0, expected)


def test_a_box_after_clicks_is_seen_with_what_they_found(volume: Volume) -> None:
    session = Session(Chooser(), volume)
    session.add(click(volume, LEFT))
    session.add(Box.from_ijk(volume.geometry, (9, 14, 14), (52, 17, 17)))
    assert np.array_equal(session.predict().mask.array_kji > 0, volume.array_kji > 50)


def test_a_box_within_the_region_of_a_click_is_seen_as_closely_as_before_it(
    volume: Volume,
) -> None:
    box = Box.from_ijk(volume.geometry, (9, 14, 14), (12, 17, 17))
    before_click, after_click = (Session(Chooser(), volume) for _ in range(2))
    after_click.add(click(volume, (13, 15, 15)))
    for session in (before_click, after_click):
        session.add(box)
    before_click.add(click(volume, (13, 15, 15)))
    assert before_click.predict().region == after_click.predict().region


@pytest.mark.parametrize("at", [10, 30, 50])
def test_a_tube_is_followed_to_its_ends(at: int) -> None:
    array = np.zeros(SHAPE, np.float32)
    array[14:17, 14:17, 5:55] = 100
    volume = Volume(array, Geometry.from_spacing(SHAPE, (1, 1, 1)))
    session = Session(Chooser(), volume)
    session.add(click(volume, (at, 15, 15)))
    assert np.array_equal(session.labelmap().array_kji > 0, array > 50)


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (np.s_[14:17, 14:17, 30:55], 100.0),  # it leaves the look on one side only
        (np.s_[14:17, 5:25, 5:55], 100.0),  # a sheet leaves it on four sides
        (np.s_[11:20, 12:19, 5:55], 100.0),  # it is wide
        (np.s_[14:17, 14:17, 5:55], 51.0),  # the model is not sure
    ],
    ids=["end", "sheet", "wide", "unsure"],
)
def test_another_object_that_leaves_the_look_is_not_followed(
    part: tuple[slice, ...], value: float
) -> None:
    array = np.zeros(SHAPE, np.float32)
    array[part] = value
    volume = Volume(array, Geometry.from_spacing(SHAPE, (1, 1, 1)))
    session = Session(Chooser(), volume)
    session.add(click(volume, (30, 15, 15)))
    assert session.predict().region == around((30, 15, 15))


def test_a_tube_in_one_slice_is_followed() -> None:
    array = np.zeros((1, 30, 60), np.float32)
    array[:, 15:17, 5:55] = 100
    volume = Volume(array, Geometry.from_spacing(array.shape, (1, 1, 1)))
    session = Session(Chooser(), volume)
    session.add(click(volume, (30, 15, 0)))
    assert np.array_equal(session.labelmap().array_kji > 0, array > 50)


def test_background_that_a_look_grows_to_counts() -> None:
    array = np.zeros(SHAPE, np.float32)
    array[14:17, 14:17, 5:55] = 100
    volume = Volume(array, Geometry.from_spacing(SHAPE, (1, 1, 1)))
    session = Session(Chooser(), volume)
    session.add(click(volume, (40, 15, 15), positive=False))
    session.add(click(volume, (10, 15, 15)))
    found = session.labelmap().array_kji > 0
    assert found[15, 15, 10] and found[15, 15, 45] and not found[15, 15, 40]


def test_a_further_click_leaves_the_region_of_a_look_as_it_is(volume: Volume) -> None:
    model = Chooser()
    session = Session(model, volume)
    session.add(click(volume, LEFT))
    # At the face of the look, where a margin would enlarge it.
    session.add(click(volume, (14, 19, 19)))
    session.predict()
    assert {region for region, _ in model.predicted} == {around(LEFT)}


def test_a_model_chooses_its_regions_in_a_sheared_volume_too(volume: Volume) -> None:
    affine = volume.geometry.ijk_to_ras.copy()
    affine[0, 2] = 0.3
    sheared = Volume(volume.array_kji, Geometry(volume.geometry.shape_kji, affine))
    model = Chooser()
    session = Session(model, sheared)
    session.add(Point.from_ijk(sheared.geometry, LEFT))
    found = session.labelmap().array_kji > 0
    assert model.allowed == [None]
    assert found[15, 15, 10] and not found[:, :, 40:].any()


class NearSighted(Chooser):
    """Sees a cube of voxels well; in a larger region it is less sure, and marks every voxel.

    Args:
        sure: the logit of its marks in a large region; in a cube, that of bright voxels is 50.
    """

    def __init__(self, sure: float) -> None:
        super().__init__()
        self.sure = sure

    def choose_region(
        self,
        volume: Volume,
        prompts: Sequence[Prompt],
        mark: Prompt,
        most_voxels: int | None,
        progress: Progress,
    ) -> Region:
        around_all = Region.around(to_voxels([mark], volume.geometry).voxels_kji)
        return around_all.grown((4, 4, 4), volume.geometry.shape_kji)

    def predict(
        self,
        encoding: Encoding,
        prompts: Sequence[Prompt],
        previous: Prediction | None,
        progress: Progress,
    ) -> Prediction:
        found = super().predict(encoding, prompts, previous, progress)
        progress(1.0, "Predicting the mask")
        if encoding.region.size > 9**3:
            found.logits_kji[:] = self.sure
        return found


def oblique_vessel() -> tuple[Volume, Scribble]:
    """A vessel that leaves every cube along two axes, and a stroke along its middle."""
    j, i = np.indices(SHAPE)[1:]
    array = np.zeros(SHAPE, np.float32)
    array[14:17] = np.where((abs(j - i) <= 1) & (i >= 3) & (i < 27), 100, 0)[14:17]
    volume = Volume(array, Geometry.from_spacing(SHAPE, (1, 1, 1)))
    return volume, Scribble.from_ijk(volume.geometry, [(4, 4, 15), (25, 25, 15)])


def test_a_stroke_along_a_vessel_is_seen_part_by_part_if_the_model_is_surer_of_the_parts() -> None:
    volume, stroke = oblique_vessel()
    model = NearSighted(sure=0.1)
    session = Session(model, volume)
    session.add(stroke)
    assert np.array_equal(session.labelmap().array_kji > 0, volume.array_kji > 50)
    whole, *parts = [region for region, _ in model.predicted]
    assert whole.size > 9**3 and len(parts) > 2 and all(part.size <= 9**3 for part in parts)
    marked = to_voxels([stroke], volume.geometry).voxels_kji
    assert np.any([part.holds(marked) for part in parts], axis=0).all()


def test_a_stroke_is_seen_as_a_whole_if_the_model_is_as_sure_of_that() -> None:
    volume, stroke = oblique_vessel()
    session = Session(NearSighted(sure=60), volume)
    session.add(stroke)
    whole = Region.around(to_voxels([stroke], volume.geometry).voxels_kji)
    assert session.predict().region == whole.grown((4, 4, 4), SHAPE)


def test_a_stroke_of_very_many_parts_is_seen_as_a_whole() -> None:
    shape = (9, 30, 900)
    array = np.zeros(shape, np.float32)
    array[3:6, 14:17] = 100
    volume = Volume(array, Geometry.from_spacing(shape, (1, 1, 1)))
    session = Session(NearSighted(sure=0.1), volume)
    session.add(Scribble.from_ijk(volume.geometry, [(5, 15, 4), (895, 15, 4)]))
    assert session.predict().region.shape_kji == (9, 9, 899)


def test_a_click_on_one_part_of_a_stroke_corrects_that_part_alone() -> None:
    volume, stroke = oblique_vessel()
    model = NearSighted(sure=0.1)
    session = Session(model, volume)
    session.add(stroke)
    before = session.predict().mask.array_kji
    del model.predicted[:]
    session.add(click(volume, (5, 4, 15), positive=False))
    after = session.predict().mask.array_kji
    assert [region.size <= 9**3 for region, _ in model.predicted] == [True]
    assert np.argwhere(before != after).tolist() == [[15, 4, 5]]


def test_progress_goes_forward_over_all_parts_of_a_stroke() -> None:
    volume, stroke = oblique_vessel()
    session = Session(NearSighted(sure=0.1), volume)
    session.add(stroke)
    seen: list[float] = []
    session.predict(progress=lambda fraction, phrase: seen.append(fraction))
    assert len(seen) > 3 and seen == sorted(seen) and seen[-1] <= 1
