"""ENSAM as a model: the way to the network's grid and back, marks and masks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ensam_echo import CELLS, Echo, noise_volume, predict, ramp_volume

from MedSegFMLib.errors import PromptError, VolumeError
from MedSegFMLib.models.ensam import model as ensam
from MedSegFMLib.models.ensam.model import CLICK_LOGIT, EnsamSegmenter
from MedSegFMLib.models.ensam.network.config import BACKGROUND, FOREGROUND
from MedSegFMLib.models.ensam.tokens import MOST_TOKENS_PER_SIGN, prompt_tokens
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.types import Box, Point, Scribble, Text
from MedSegFMLib.registry import create
from MedSegFMLib.segmenter import Prediction
from MedSegFMLib.session.session import Session
from MedSegFMLib.volumes import intensities, pooling
from MedSegFMLib.volumes.geometry import Geometry
from MedSegFMLib.volumes.region import Region
from MedSegFMLib.volumes.volume import Volume

pytestmark = pytest.mark.usefixtures("one_thread")


def test_volume_is_not_written_to(weights: Path) -> None:
    volume = noise_volume((9, 17, 12))
    before = volume.array_kji.copy()
    volume.array_kji.setflags(write=False)
    predict(ensam.create("cpu", weights), volume, [Point.from_ijk(volume.geometry, (3, 4, 5))])
    assert np.array_equal(volume.array_kji, before)


def test_pooling_takes_maximum_or_mean_of_blocks_and_of_rests() -> None:
    array = np.arange(5, dtype=np.int16).reshape(1, 1, 5)
    assert pooling.pooled(array, (1, 1, 2), "max").ravel().tolist() == [1, 3, 4]
    assert pooling.pooled(array, (1, 1, 2), "mean").ravel().tolist() == [0.5, 2.5, 4]


def test_percentiles_become_zero_and_one() -> None:
    array = np.arange(1001, dtype=np.int16).reshape(7, 11, 13)
    low, high = intensities.intensity_bounds(array)
    assert (low, high) == pytest.approx((5, 995))
    image = intensities.normalised(array.astype(np.float32), (low, high))
    assert (image.min(), image.max()) == (0, 1)
    assert image[3, 5, 6] == pytest.approx(0.5)


def test_constant_region_is_seen_as_zeros() -> None:
    volume = Volume(np.full((4, 5, 6), 7, np.int16), Geometry.from_spacing((4, 5, 6)))
    assert not predict(EnsamSegmenter(Echo()), volume, []).logits_kji.any()


def test_region_with_nan_is_refused() -> None:
    array = np.ones((4, 5, 6), np.float32)
    array[1, 2, 3] = np.nan
    volume = Volume(array, Geometry.from_spacing((4, 5, 6)))
    with pytest.raises(VolumeError, match="NaN"):
        EnsamSegmenter(Echo()).encode(volume, None, no_progress)


def test_region_of_as_many_voxels_as_cells_comes_back_voxel_by_voxel() -> None:
    volume = noise_volume((18, 20, 19))
    region = Region((1, 2, 3), (17, 18, 19))
    prediction = predict(EnsamSegmenter(Echo()), volume, [], region)
    inside = volume.array_kji[region.slices]
    expected = intensities.normalised(inside, intensities.intensity_bounds(inside))
    assert prediction.offset_kji == (1, 2, 3)
    assert np.array_equal(prediction.logits_kji, expected)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_ramp_comes_back_aligned_from_the_cells(axis: int) -> None:
    shape = (6, 24, 43)
    prediction = predict(EnsamSegmenter(Echo()), ramp_volume(shape, axis), [])
    assert prediction.logits_kji.shape == shape
    line = np.moveaxis(prediction.logits_kji, axis, 0)[:, 3, 3]
    # The percentiles are those of the cells, so a straight line may have another slope.
    places = np.arange(shape[axis])
    inner = slice(shape[axis] // CELLS + 1, -(shape[axis] // CELLS + 1))
    slope, start = np.polyfit(places[inner], line[inner], 1)
    np.testing.assert_allclose(line[inner], (slope * places + start)[inner], atol=0.01)
    assert slope * (shape[axis] - 1) / 2 + start == pytest.approx(0.5, abs=1e-3)


def test_network_hears_the_spacing_of_its_cells() -> None:
    network = Echo()
    EnsamSegmenter(network).encode(ramp_volume((8, 32, 16)), None, no_progress)
    assert list(network.spacing) == pytest.approx([2.5 / 2, 0.8 * 2, 0.7])


def test_prompts_reach_the_network_in_cells() -> None:
    network, volume = Echo(), ramp_volume((9, 34, 34))
    box = Box.from_ijk(volume.geometry, (6, 4, 1), (10, 12, 5))
    predict(EnsamSegmenter(network), volume, [box], Region((1, 2, 2), (9, 34, 34)))
    assert network.prompts.kinds.tolist() == [0, 1]
    # Two cells to a voxel along k, half a cell along j and i; both ends are voxel centres.
    expected = [[0.5, 0.75, 1.75], [6.5, 4.25, 3.25]]
    np.testing.assert_allclose(network.prompts.positions_kji, expected)


def test_region_goes_a_quarter_of_the_box_beyond_it_and_two_voxels_at_least() -> None:
    box = Region((0, 0, 0), (4, 20, 7))
    assert ensam.CARD.region_rule.margin(box) == (2, 5, 2)
    assert not ensam.CARD.region_rule.shared


def test_big_anisotropic_region_comes_back_whole() -> None:
    prediction = predict(EnsamSegmenter(Echo()), noise_volume((3, 700, 900)), [])
    assert prediction.logits_kji.shape == (3, 700, 900)


def test_previous_answer_is_laid_where_it_belongs() -> None:
    network, volume = Echo(), ramp_volume((18, 20, 22))
    model = EnsamSegmenter(network)
    encoding = model.encode(volume, Region((1, 2, 3), (17, 18, 19)), no_progress)
    earlier = Prediction(volume.geometry, (0, 0, 4), np.full((3, 4, 3), 2.5, np.float32))
    model.predict(encoding, [], earlier, no_progress)
    expected = np.zeros(volume.geometry.shape_kji, np.float32)
    expected[0:3, 0:4, 4:7] = 2.5
    assert np.array_equal(network.previous, expected[1:17, 2:18, 3:19])


def test_marked_voxels_are_never_contradicted() -> None:
    volume = noise_volume((8, 12, 12))
    geometry = volume.geometry
    stroke = [tuple(geometry.ras_from_ijk((i, 2, 3)).tolist()) for i in (1, 9)]
    prompts = [
        Point.from_ijk(geometry, (5, 6, 4)),
        Point.from_ijk(geometry, (6, 6, 4), positive=False),
        Scribble(tuple(stroke), positive=False),
    ]
    for constant in (-9.0, 9.0):
        network = Echo(lambda image, constant=constant: np.full_like(image, constant))
        logits = predict(EnsamSegmenter(network), volume, prompts).logits_kji
        assert logits[4, 6, 5] == max(constant, CLICK_LOGIT)
        assert logits[4, 6, 6] == min(constant, -CLICK_LOGIT)
        assert (logits[3, 2, 1:10] == min(constant, -CLICK_LOGIT)).all()
        assert logits[7, 11, 11] == constant


def test_prompts_outside_the_region_say_nothing() -> None:
    volume, network = noise_volume((8, 12, 12)), Echo()
    far = Point.from_ijk(volume.geometry, (11, 11, 7))
    near = Point.from_ijk(volume.geometry, (2, 3, 1))
    predict(EnsamSegmenter(network), volume, [far, near], Region((0, 0, 0), (4, 8, 8)))
    # Of 4 x 8 x 8 voxels each has four, two and two cells.
    assert network.prompts.positions_kji.tolist() == [[5.5, 6.5, 4.5]]


def test_region_without_any_prompt_still_gets_an_answer(weights: Path) -> None:
    volume = noise_volume((8, 12, 12))
    far = Point.from_ijk(volume.geometry, (11, 11, 7))
    region = Region((0, 0, 0), (4, 8, 8))
    logits = predict(ensam.create("cpu", weights), volume, [far], region).logits_kji
    assert np.isfinite(logits).all()


def test_prompt_outside_the_volume_is_refused() -> None:
    volume = noise_volume((8, 12, 12))
    with pytest.raises(PromptError, match="outside the volume"):
        predict(EnsamSegmenter(Echo()), volume, [Point((900.0, 0.0, 0.0))])


def test_text_is_refused() -> None:
    with pytest.raises(
        PromptError, match="ENSAM does not support text prompts; it supports box, point"
    ):
        predict(EnsamSegmenter(Echo()), noise_volume((8, 12, 12)), [Text("liver")])


def test_long_stroke_is_thinned_but_clicks_are_kept() -> None:
    geometry = Geometry.from_spacing((4, 4, 200))
    ends = (geometry.ras_from_ijk((0, 0, 0)), geometry.ras_from_ijk((199, 0, 0)))
    stroke = Scribble(tuple(tuple(end.tolist()) for end in ends))
    clicks = [Point.from_ijk(geometry, (i, 3, 2)) for i in (10, 20)]
    tokens = prompt_tokens([clicks[0], stroke, clicks[1]], geometry, Region.whole((4, 4, 200)))
    assert len(tokens.kinds) == MOST_TOKENS_PER_SIGN
    positions = tokens.positions_kji.tolist()
    assert [2, 3, 10] in positions and [2, 3, 20] in positions
    assert [0, 0, 0] in positions and [0, 0, 199] in positions
    assert len(tokens.marks.foreground_kji) == 202


def test_marks_reach_the_network_in_the_order_in_which_they_were_given() -> None:
    geometry = Geometry.from_spacing((9, 9, 9))
    marks = [(True, 1), (False, 2), (True, 3), (False, 4)]
    clicks = [Point.from_ijk(geometry, (place, 0, 0), positive) for positive, place in marks]
    tokens = prompt_tokens(clicks, geometry, Region.whole((9, 9, 9)))
    assert tokens.kinds.tolist() == [FOREGROUND, BACKGROUND, FOREGROUND, BACKGROUND]
    assert tokens.positions_kji[:, 2].tolist() == [1, 2, 3, 4]


def test_latest_of_very_many_clicks_are_kept() -> None:
    geometry = Geometry.from_spacing((4, 4, 200))
    clicks = [Point.from_ijk(geometry, (i, 0, 0)) for i in range(40)]
    tokens = prompt_tokens(clicks, geometry, Region.whole((4, 4, 200)))
    assert tokens.positions_kji[:, 2].tolist() == list(range(8, 40))


def test_cancelling_stops_the_work(weights: Path) -> None:
    def stop(fraction: float, phrase: str) -> None:
        if fraction > 0.05:
            raise KeyboardInterrupt

    model, volume = ensam.create("cpu", weights), noise_volume((8, 12, 12))
    with pytest.raises(KeyboardInterrupt):
        model.encode(volume, None, stop)
    encoding = model.encode(volume, None, no_progress)
    with pytest.raises(KeyboardInterrupt):
        model.predict(encoding, [Point.from_ijk(volume.geometry, (5, 5, 5))], None, stop)


def test_encoding_of_another_model_is_refused() -> None:
    from MedSegFMLib.segmenter import Encoding

    volume = noise_volume((8, 12, 12))
    other = Encoding(volume.geometry, Region.whole((8, 12, 12)), 0)
    with pytest.raises(TypeError, match="Encoding"):
        EnsamSegmenter(Echo()).predict(other, [], None, no_progress)


@pytest.mark.parametrize(("ijk", "positive"), [((8, 8, 11), True), ((8, 8, 2), False)])
def test_click_on_what_is_right_already_changes_nothing(
    ijk: tuple[int, int, int], positive: bool
) -> None:
    volume = ramp_volume((CELLS, CELLS, CELLS))
    model = EnsamSegmenter(Echo(lambda image: image * 2 - 1))
    box = Box.from_ijk(volume.geometry, (2, 2, 2), (14, 14, 14))
    encoding = model.encode(volume, None, no_progress)
    before = model.predict(encoding, [box], None, no_progress)
    click = Point.from_ijk(volume.geometry, ijk, positive)
    assert model.predict(encoding, [box, click], before, no_progress) is before
    contrary = Point.from_ijk(volume.geometry, ijk, not positive)
    after = model.predict(encoding, [box, contrary], before, no_progress)
    assert (after.logits_kji[ijk[::-1]] > 0) == (not positive)


def test_mask_to_start_from_is_no_answer_that_a_click_may_agree_with() -> None:
    volume = ramp_volume((CELLS, CELLS, CELLS))
    model = EnsamSegmenter(Echo(lambda image: image * 2 - 1))
    encoding = model.encode(volume, None, no_progress)
    logits = np.full((CELLS, CELLS, CELLS), -4, np.float32)
    logits[:, :, :4] = 4
    mask = Prediction(volume.geometry, (0, 0, 0), logits)
    click = Point.from_ijk(volume.geometry, (1, 8, 8), True)
    found = model.predict(encoding, [click], mask, no_progress).logits_kji > 0
    assert found[12, 4, 12] and found[8, 8, 1] and not found[4, 4, 2]


def test_click_on_a_neighbour_leaves_an_object_as_it_is(weights: Path) -> None:
    volume = noise_volume((24, 26, 28))
    session = Session(create("ensam", "cpu", weights=weights), volume)
    first = session.add_object()
    session.add(Box.from_ijk(volume.geometry, (3, 3, 3), (12, 12, 12)), first)
    before = session.predict_all()[first].mask.array_kji
    outside = np.argwhere(before == 0)[-1].tolist()
    second = session.add_object()
    session.add(Point.from_ijk(volume.geometry, outside[::-1], True), second)
    np.testing.assert_array_equal(session.predict_all()[first].mask.array_kji, before)
