"""How large a region ENSAM looks at around a click without a box."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from MedSegFMLib import Geometry, Point, Region, Scribble, Session, Volume
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.ensam.click_sizes import regions_around
from MedSegFMLib.models.ensam.model import CARD, EnsamSegmenter
from MedSegFMLib.models.ensam.network.config import EnsamConfig
from MedSegFMLib.models.ensam.runtime import Features
from MedSegFMLib.progress import no_progress
from MedSegFMLib.registry import create
from MedSegFMLib.segmenter import Segmenter, certainty

SHAPE = (64, 80, 80)


class Sure:
    """A runtime that is surest of cells of one width."""

    def __init__(self, cell_mm: float) -> None:
        self.config = EnsamConfig(cells=16)
        self.cell_mm = cell_mm

    def encode(self, image: Any, spacing_kji_mm: Any, progress: Any) -> Features:
        self.off = abs(np.log(spacing_kji_mm[2] / self.cell_mm))
        return Features(0)

    def decode(self, features: Any, prompts: Any, previous_logits: Any, progress: Any) -> Any:
        return np.full((16, 16, 16), 5 - self.off, np.float32)


@pytest.fixture(scope="module")
def model() -> Segmenter:
    return create("ensam", "cpu")


def ball(centre_kji: tuple[int, int, int], radius: float) -> np.ndarray:
    squares = [(x - c) ** 2 for x, c in zip(np.indices(SHAPE), centre_kji, strict=True)]
    return np.asarray(sum(squares) <= radius**2)


def noisy(mask: np.ndarray, geometry: Geometry) -> Volume:
    from scipy.ndimage import gaussian_filter

    clean = gaussian_filter(np.where(mask, 200.0, 40.0), 0.5)
    noise = np.random.default_rng(0).normal(0, 10, SHAPE)
    return Volume((clean + noise).astype(np.int16), geometry)


def test_regions_are_as_wide_in_millimetres_along_every_axis_and_grow() -> None:
    geometry = Geometry.from_spacing((200, 400, 400), (1, 1, 2))
    regions = regions_around(np.array([[100, 200, 200]]), geometry, CARD.region_rule)
    assert regions[1] == Region((96, 192, 192), (105, 209, 209))
    assert regions[-1] == Region((36, 72, 72), (165, 329, 329))
    for smaller, larger in pairwise(regions):
        assert larger.contains(smaller) and larger != smaller


def test_a_small_volume_has_fewer_regions() -> None:
    geometry = Geometry.from_spacing((10, 10, 10), (1, 1, 1))
    regions = regions_around(np.array([[5, 5, 5]]), geometry, CARD.region_rule)
    assert regions == [Region.whole((10, 10, 10))]


def test_certainty_is_the_mean_probability_of_what_is_marked() -> None:
    logits = np.log(np.array([3, 1 / 3, 9], np.float32))
    assert certainty(logits) == pytest.approx((0.75 + 0.9) / 2)
    assert certainty(np.full(3, -1, np.float32)) == 0


@pytest.mark.parametrize("radius", [8, 16, 32])
def test_the_region_in_which_the_network_is_most_certain_is_chosen(radius: int) -> None:
    model = EnsamSegmenter(Sure((2 * radius + 1) / 16))
    volume = Volume(
        np.zeros((70, 70, 70), np.float32), Geometry.from_spacing((70, 70, 70), (1,) * 3)
    )
    click = Point.from_ijk(volume.geometry, (34, 35, 36))
    chosen = model.choose_region(volume, [click], click, None, no_progress)
    assert chosen == Region((36, 35, 34), (37, 36, 35)).grown((radius,) * 3, (70, 70, 70))


def test_a_region_may_be_limited_to_a_number_of_voxels() -> None:
    model = EnsamSegmenter(Sure(65 / 16))
    shape = (70, 70, 70)
    volume = Volume(np.zeros(shape, np.float32), Geometry.from_spacing(shape, (1, 1, 1)))
    click = Point.from_ijk(volume.geometry, (34, 35, 36))
    chosen = model.choose_region(volume, [click], click, 17**3, no_progress)
    assert chosen.shape_kji == (17, 17, 17)


def test_a_stroke_is_in_its_region_whatever_the_network_prefers() -> None:
    model = EnsamSegmenter(Sure(0.1))
    volume = Volume(
        np.zeros((70, 70, 70), np.float32), Geometry.from_spacing((70, 70, 70), (1,) * 3)
    )
    stroke = Scribble.from_ijk(volume.geometry, [(5, 35, 35), (65, 35, 35)])
    chosen = model.choose_region(volume, [stroke], stroke, None, no_progress)
    assert chosen.contains(Region((35, 35, 5), (36, 36, 66)))


@pytest.mark.parametrize("radius", [3, 4])
def test_one_click_on_a_small_ball_gives_the_ball(model: Segmenter, radius: int) -> None:
    mask = ball((32, 40, 40), radius)
    volume = noisy(mask, Geometry.from_spacing(SHAPE, (1, 1, 1)))
    session = Session(model, volume)
    session.add(Point.from_ijk(volume.geometry, (40, 40, 32)))
    assert dice(session.predict().mask.array_kji > 0, mask) > 0.75


def test_lesions_that_are_clicked_one_by_one_are_all_there(model: Segmenter) -> None:
    centres = [(15, 15, 15), (20, 60, 20), (48, 20, 62), (45, 62, 60)]
    mask = np.logical_or.reduce([ball(centre, 5) for centre in centres])
    volume = noisy(mask, Geometry.from_spacing(SHAPE, (1, 1, 1)))
    session = Session(model, volume)
    for k, j, i in centres:
        session.add(Point.from_ijk(volume.geometry, (i, j, k)))
    assert dice(session.predict().mask.array_kji > 0, mask) > 0.7
