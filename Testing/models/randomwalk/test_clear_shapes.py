"""Objects that a glance finds: thin or scattered ones in a box, and clear ones from a click."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from MedSegFMLib import Box, Geometry, Point, Prediction, Region, Segmenter, Session, Volume, create
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.ensam.model import CARD
from MedSegFMLib.models.randomwalk.clicks import Mark
from MedSegFMLib.models.randomwalk.half_contrast import beyond_half, clear_object
from MedSegFMLib.models.randomwalk.refined_segmenter import RefinedSegmenter
from MedSegFMLib.models.randomwalk.settings import Settings
from MedSegFMLib.models.randomwalk.solver import PreparedCrop, prepare_crop
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.segmenter import Encoding
from MedSegFMLib.simulate import box_around, next_click

SETTINGS = Settings()
SHAPE = (40, 48, 56)
K, J, L = np.indices(SHAPE)


class Blind:
    """A model that takes the whole box for the object, as ENSAM does if it sees nothing in it."""

    card = CARD
    classes: tuple[str, ...] = ()

    def encode(self, volume: Volume, region: Region | None, progress: Any) -> Encoding:
        return Encoding(volume.geometry, region or Region.whole(volume.geometry.shape_kji), 1000)

    def predict(
        self, encoding: Encoding, prompts: Sequence[Prompt], previous: Any, progress: Any
    ) -> Prediction:
        logits = np.full(encoding.region.shape_kji, 2.0, np.float32)
        return Prediction(encoding.geometry, encoding.region.start_kji, logits)


MODELS: dict[str, Callable[[], Segmenter]] = {
    "randomwalk": lambda: create("randomwalk"),
    "refined": lambda: RefinedSegmenter(Blind(), click_logit=1.0),
}


def vessel() -> np.ndarray:
    """A bent tube with a branch, which fills 4 % of its box."""
    t = np.linspace(0, 1, 500)
    stem = np.stack([8 + 24 * t, 24 + 12 * np.sin(4 * t), 8 + 38 * t], axis=1)
    twig = np.stack([20 + 0 * t, 34 - 26 * t, 27 + 18 * t], axis=1)
    free = np.ones(SHAPE, bool)
    free[tuple(np.vstack([stem, twig]).round().astype(int).T)] = False
    return np.asarray(ndimage.distance_transform_edt(free) <= 2.2)


def scattered() -> np.ndarray:
    """Five balls of 4 voxels' radius, far apart."""
    centres = [(8, 8, 8), (30, 38, 46), (10, 36, 40), (28, 12, 14), (20, 24, 28)]
    balls = [(K - k) ** 2 + (J - j) ** 2 + (L - i) ** 2 <= 16 for k, j, i in centres]
    return np.asarray(np.any(balls, axis=0))


def image(mask: np.ndarray, inside: float = 200, outside: float = 50, noise: float = 10) -> Volume:
    grain = np.random.default_rng(0).normal(0, noise, mask.shape)
    values = ndimage.gaussian_filter(np.where(mask, inside, outside).astype(float), 0.7) + grain
    return Volume(values.astype(np.int16), Geometry.from_spacing(mask.shape))


def scaled(mask: np.ndarray, contrast: float) -> np.ndarray:
    """An image of an object with a contrast of so many in noise of 10, in 255ths."""
    return (image(mask, 50 + contrast, 50).array_kji / 255).astype(np.float32)


def session_in_box(model: Segmenter, volume: Volume, mask: np.ndarray, margin: int = 0) -> Session:
    session = Session(model, volume)
    start, stop = box_around(mask, 0.0, 0)
    low = [max(0, n - margin) for n in start]
    high = [min(size, n + margin) for n, size in zip(stop, mask.shape, strict=True)]
    session.add(Box.from_ijk(volume.geometry, low[::-1], high[::-1]))
    return session


def prepared(volume: Volume, box: Region) -> PreparedCrop:
    return prepare_crop(volume.array_kji, (1, 1, 1), box, SETTINGS)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("values", [(200, 50), (50, 200)], ids=["bright", "dark"])
@pytest.mark.parametrize("made", [vessel, scattered])
def test_a_thin_or_scattered_object_is_found_in_its_box(
    model: str, values: tuple[float, float], made: Any
) -> None:
    mask = made()
    session = session_in_box(MODELS[model](), image(mask, *values), mask)
    assert dice(mask, session.predict().mask.array_kji > 0) > 0.75


@pytest.mark.parametrize("model", MODELS)
def test_the_box_may_be_a_little_wider_than_a_thin_object(model: str) -> None:
    mask = vessel()
    session = session_in_box(MODELS[model](), image(mask), mask, margin=3)
    assert dice(mask, session.predict().mask.array_kji > 0) > 0.75


@pytest.mark.parametrize("model", MODELS)
def test_no_correct_click_makes_a_thin_object_worse(model: str) -> None:
    mask = vessel()
    session = session_in_box(MODELS[model](), image(mask), mask)
    found = [session.predict().mask.array_kji > 0]
    for _ in range(5):
        click = next_click(mask, found[-1], 0)
        assert click is not None
        session.add(Point.from_ijk(session.volume.geometry, click[0][::-1], click[1]))
        found.append(session.predict().mask.array_kji > 0)
    scores = [dice(mask, one) for one in found]
    assert np.diff(scores).min() > -0.02 and scores[-1] >= scores[0]


def test_a_click_on_the_wrong_one_of_two_lesions_in_a_box_removes_it_alone() -> None:
    centres = [(10, 12, 12), (30, 36, 44)]
    lesions = [(K - k) ** 2 + (J - j) ** 2 + (L - i) ** 2 <= 36 for k, j, i in centres]
    both = lesions[0] | lesions[1]
    session = session_in_box(MODELS["refined"](), image(both), both)
    assert dice(both, session.predict().mask.array_kji > 0) > 0.9
    session.add(Point.from_ijk(session.volume.geometry, (44, 36, 30), False))
    assert dice(lesions[0], session.predict().mask.array_kji > 0) > 0.9


def test_an_object_that_fills_its_box_is_not_sparse() -> None:
    mask = (K - 20) ** 2 + (J - 24) ** 2 + (L - 28) ** 2 <= 100
    assert prepared(image(mask), Region((10, 14, 18), (31, 35, 39))).sparse is None


def test_noise_and_a_constant_image_have_no_sparse_object() -> None:
    box = Region((10, 10, 10), (30, 38, 46))
    nothing = np.zeros(SHAPE, bool)
    assert prepared(image(nothing), box).sparse is None
    assert prepared(image(nothing, noise=0), box).sparse is None


def test_bright_parts_that_are_around_the_box_as_well_are_no_sparse_object() -> None:
    everywhere = (K % 8 < 2) & (J % 8 < 2) & (L % 8 < 2)
    assert prepared(image(everywhere), Region((10, 10, 10), (30, 38, 46))).sparse is None


def test_values_near_the_ends_of_32_bit_floats_are_compared_too() -> None:
    mask = vessel()
    values = (image(mask).array_kji / 200 - 0.5).astype(np.float32) * np.float32(1e38)
    crop = prepare_crop(values, (1, 1, 1), Region((5, 5, 5), (36, 44, 50)), SETTINGS)
    assert np.isfinite(crop.cells).all() and crop.sparse is not None
    assert dice(mask, crop.sparse.logits > 0) > 0.7


def test_a_box_without_surroundings_has_no_sparse_object() -> None:
    assert prepared(image(vessel()), Region.whole(SHAPE)).sparse is None


def test_a_part_in_a_corner_of_the_box_is_no_sparse_object() -> None:
    corner = (K > 10) & (K < 15) & (J > 10) & (J < 15) & (L > 10) & (L < 15)
    assert prepared(image(corner), Region((10, 10, 10), (32, 40, 48))).sparse is None


def test_half_the_contrast_is_the_edge_whatever_is_brighter() -> None:
    values = np.array([10, 30, 50], np.float32)
    np.testing.assert_allclose(beyond_half(values, 10, 50), [-1, 0, 1])
    np.testing.assert_allclose(beyond_half(values, 50, 10), [1, 0, -1])


@pytest.mark.parametrize("radius", [3, 4, 6])
def test_a_clear_ball_too_wide_for_the_model_ends_at_its_edge_after_a_click(radius: float) -> None:
    squares = (K - 20) ** 2 + (J - 24) ** 2 + (L - 28) ** 2
    mask = squares <= radius**2
    wide = np.where(squares <= (radius + 1.5) ** 2, 2, -2).astype(np.float32)

    class TooWide(Blind):
        def predict(self, encoding: Encoding, *_: Any) -> Prediction:
            region = encoding.region
            return Prediction(encoding.geometry, region.start_kji, wide[region.slices])

    volume = image(mask)
    model = RefinedSegmenter(TooWide(), click_logit=1.0)
    click = Point.from_ijk(volume.geometry, (28, 24, 20))
    region = Region((10, 14, 18), (30, 34, 38))
    found = model.predict(model.encode(volume, region, no_progress), [click], None, no_progress)
    assert dice(mask[region.slices], wide[region.slices] > 0) < 0.7
    assert dice(mask[region.slices], found.logits_kji > 0) > 0.85


def test_what_hardly_differs_from_its_surroundings_is_not_clear() -> None:
    mask = (K - 20) ** 2 + (J - 24) ** 2 + (L - 28) ** 2 <= 36
    logits = np.where(mask, 3, -3).astype(np.float32)
    marks = [Mark((20, 24, 28), True)]
    fine = {contrast: scaled(mask, contrast) for contrast in (60, 100, 180)}
    found = {n: clear_object(cells, cells, logits, marks, SETTINGS) for n, cells in fine.items()}
    assert found[60] is None
    part, whole = found[100], found[180]
    assert part is not None and whole is not None and 0 < part.weight < 1 == whole.weight


def test_an_organ_among_others_is_not_clear_because_there_is_air_around_the_patient() -> None:
    organ = (K - 20) ** 2 + (J - 24) ** 2 + (L - 28) ** 2 <= 36
    patient = (J - 24) ** 2 + (L - 28) ** 2 <= 144
    cells = scaled(patient, 150)
    assert (cells[~organ] < 0.4).mean() > 0.5, "most of what is around is air"
    logits = np.where(organ, 3, -3).astype(np.float32)
    assert clear_object(cells, cells, logits, [Mark((20, 24, 28), True)], SETTINGS) is None


def test_clicks_on_the_background_alone_show_no_clear_object() -> None:
    mask = (K - 20) ** 2 + (J - 24) ** 2 + (L - 28) ** 2 <= 36
    logits = np.where(mask, 3, -3).astype(np.float32)
    cells = scaled(mask, 150)
    for marks in ([Mark((2, 2, 2), False)], []):
        assert clear_object(cells, cells, logits, marks, SETTINGS) is None
