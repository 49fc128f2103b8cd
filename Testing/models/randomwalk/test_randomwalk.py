"""The weights-free model: its parts against what they should be, and what users rely on."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sample_volumes import make_blob

from MedSegFMLib import Box, Geometry, Point, Region, Scribble, Session, Volume, create
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.randomwalk.appearance import appearance_features, likelihood
from MedSegFMLib.models.randomwalk.box_grid import make_box_grid
from MedSegFMLib.models.randomwalk.calibration import calibrate
from MedSegFMLib.models.randomwalk.clicks import (
    Mark,
    depth_map,
    grid_marks,
    interpolate,
    kernel,
    path_lengths,
)
from MedSegFMLib.models.randomwalk.random_walker import make_graph, random_walk
from MedSegFMLib.models.randomwalk.settings import Settings
from MedSegFMLib.models.randomwalk.small_components import without_small_components
from MedSegFMLib.prompts.voxels import to_voxels
from MedSegFMLib.simulate import box_around, next_click
from MedSegFMLib.synthesis.phantom import make_abdomen

SETTINGS = Settings()
EVEN = np.ones(3)


def session_on(volume: Volume, reference: np.ndarray) -> Session:
    session = Session(create("randomwalk"), volume)
    start, stop = box_around(reference, 0.0, 0)
    session.add(Box.from_ijk(volume.geometry, start[::-1], stop[::-1]))
    return session


def dice_by_click(session: Session, reference: np.ndarray, clicks: int = 5) -> list[float]:
    scores = []
    for n in range(clicks + 1):
        mask = session.predict().mask.array_kji > 0
        scores.append(dice(reference, mask))
        click = next_click(reference, mask, n)
        if click is None:
            return scores + scores[-1:] * (clicks - n)
        session.add(Point.from_ijk(session.volume.geometry, click[0][::-1], click[1]))
    return scores


def test_a_walk_solves_the_random_walker_exactly_enough() -> None:
    from scipy.sparse import identity
    from scipy.sparse.linalg import spsolve

    rng = np.random.default_rng(0)
    fine = rng.random((5, 6, 7), dtype=np.float32)
    logits = rng.normal(0, 3, fine.shape).astype(np.float32)
    graph = make_graph(fine, EVEN, SETTINGS)
    operator = (graph.laplacian + 0.3 * identity(fine.size)).tocsc().astype(float)
    exact = 4 * spsolve(operator, 0.3 * np.tanh(logits.ravel() / 2))
    assert np.abs(random_walk(graph, logits, 0.3, SETTINGS).ravel() - exact).max() < 0.02


def test_a_graph_joins_neighbours_alone_and_less_across_edges_and_slices() -> None:
    fine = np.zeros((3, 4, 6), np.float32)
    fine[:, :, 3:] = 1
    graph = make_graph(fine, np.array([0.25, 1, 1]), SETTINGS)
    dense = graph.laplacian.toarray()
    assert np.allclose(dense.sum(axis=1), 0, atol=1e-5) and np.allclose(dense, dense.T)
    assert np.count_nonzero(dense[0]) == 4

    def weight(a: tuple[int, int, int], b: tuple[int, int, int]) -> float:
        return -dense[np.ravel_multi_index(a, fine.shape), np.ravel_multi_index(b, fine.shape)]

    assert weight((0, 0, 2), (0, 0, 3)) < 0.01 * weight((0, 0, 1), (0, 0, 2))
    assert weight((0, 0, 0), (1, 0, 0)) == pytest.approx(
        weight((0, 0, 0), (0, 1, 0)) / 16, rel=0.01
    )
    assert weight((0, 0, 5), (0, 1, 0)) == 0


def test_the_prior_is_highest_in_the_middle_of_the_box_and_low_outside() -> None:
    grid = make_box_grid((20, 30, 40), Region((5, 5, 10), (15, 25, 30)), (1, 1, 1), SETTINGS)
    assert grid.factors == (1, 1, 1) and grid.inside.sum() == 10 * 20 * 20
    assert grid.prior.argmax() in np.ravel_multi_index(((9, 10), (14, 15), (19, 20)), grid.shape)
    assert grid.prior[~grid.inside].max() <= SETTINGS.prior_outside
    assert grid.prior[10, 14, 20] > 1.5 > 0 > grid.prior[5, 5, 10]


@pytest.mark.parametrize(
    ("shape", "spacing"), [((78, 400, 500), (2, 0.7, 0.7)), ((200, 200, 200), (1, 1, 1))]
)
def test_a_large_crop_is_seen_in_blocks_the_finest_axes_first(
    shape: tuple[int, int, int], spacing: tuple[float, float, float]
) -> None:
    grid = make_box_grid(shape, Region((9, 9, 9), tuple(n - 9 for n in shape)), spacing, SETTINGS)
    assert np.prod(grid.shape) <= SETTINGS.most_cells
    widths = np.array(grid.factors) * spacing
    assert widths.max() <= 1.6 * widths.min()


def test_a_box_thinner_than_a_block_still_holds_a_cell() -> None:
    grid = make_box_grid((200, 200, 200), Region((77, 9, 9), (78, 190, 190)), (1, 1, 1), SETTINGS)
    assert grid.inside.any()
    assert grid.cell_of((77, 50, 50)) in map(tuple, np.argwhere(grid.inside).tolist())
    assert grid.cell_of((-5, 500, 0)) == (0, grid.shape[1] - 1, 0)


def test_likelihood_tells_apart_by_intensity_and_by_texture() -> None:
    rng = np.random.default_rng(0)
    box = Region((4, 4, 4), (20, 20, 20))
    grid = make_box_grid((24, 24, 24), box, (1, 1, 1), SETTINGS)
    bright = np.where(grid.inside, 0.7, 0.3) + rng.normal(0, 0.03, grid.shape)
    rough = 0.5 + rng.normal(0, 1, grid.shape) * np.where(grid.inside, 0.15, 0.02)
    for image in (bright, rough):
        cells = np.clip(image, 0, 1).astype(np.float32)
        found = likelihood(
            appearance_features(cells, grid, EVEN, SETTINGS), grid, grid.prior, [], SETTINGS
        )
        assert found[grid.inside].mean() > 0.8 and found[~grid.inside].mean() < -0.8


@pytest.mark.parametrize("positive", [True, False])
def test_depth_is_the_distance_to_the_nearest_cell_that_a_mark_has_right(positive: bool) -> None:
    grid = make_box_grid((6, 7, 8), Region((1, 1, 1), (5, 6, 7)), (1, 1, 1), SETTINGS)
    logits = np.random.default_rng(0).normal(-1, 1, grid.shape).astype(np.float32)
    mark = Mark((2, 3, 4), positive)
    right = np.argwhere((logits > 0) == positive)
    offsets = np.argwhere(np.ones(grid.shape))[:, None] - right
    nearest = np.linalg.norm(offsets * grid.cell_half_boxes, axis=2).min(axis=1)
    np.testing.assert_allclose(depth_map(grid, mark, logits).ravel(), nearest, atol=1e-5)
    assert (depth_map(grid, mark, np.zeros_like(logits) * mark.sign) == 1).all()


def test_marks_get_the_logit_they_ask_for_and_keep_their_sign() -> None:
    grid = make_box_grid((20, 20, 20), Region((2, 2, 2), (18, 18, 18)), (1, 1, 1), SETTINGS)
    smooth = np.zeros(grid.shape, np.float32)
    marks = [Mark((5, 5, 5), True), Mark((5, 5, 7), False), Mark((15, 15, 15), False)]
    logits = np.full(grid.shape, -1, np.float32)
    logits[10:] = 1
    kernels = [
        kernel(
            smooth,
            path_lengths(grid, smooth, mark, 3, SETTINGS),
            depth_map(grid, mark, logits),
            mark,
            SETTINGS,
        )
        for mark in marks
    ]
    corrected = interpolate(logits, marks, kernels, SETTINGS)
    assert corrected[5, 5, 5] > 0 > corrected[15, 15, 15] and corrected[5, 5, 7] < 0
    # A mark that is already right changes nothing.
    right = interpolate(corrected - 9, [Mark((1, 1, 1), False)], kernels[:1], SETTINGS)
    assert np.array_equal(right, corrected - 9)


def test_a_mark_near_the_outline_leaves_the_rest_as_it_is() -> None:
    phantom = make_abdomen()
    reference = phantom.labels.array_kji == phantom.label("spleen")
    session = session_on(phantom.image, reference)
    before = session.predict().mask.array_kji > 0
    click = next_click(reference, before, 0)
    assert click is not None
    session.add(Point.from_ijk(phantom.image.geometry, click[0][::-1], click[1]))
    changed = np.argwhere(before != (session.predict().mask.array_kji > 0))
    assert len(changed) < 0.15 * before.sum()


def test_many_marks_are_thinned_and_of_two_in_one_cell_the_later_counts() -> None:
    grid = make_box_grid((200, 200, 200), Region((9, 9, 9), (190, 190, 190)), (1, 1, 1), SETTINGS)
    geometry = Geometry.from_spacing((200, 200, 200))
    stroke = Scribble(((10, 10, 10), (190, 190, 190)))
    assert len(grid_marks(grid, to_voxels([stroke], geometry), SETTINGS)) == SETTINGS.most_marks
    first = 10 * grid.factors[0]
    pair = [Point((50, 50, first)), Point((50, 50, first + 1), positive=False)]
    assert [m.positive for m in grid_marks(grid, to_voxels(pair, geometry), SETTINGS)] == [False]


def test_calibration_fills_an_empty_box_and_empties_a_full_one() -> None:
    grid = make_box_grid((20, 20, 20), Region((2, 2, 2), (18, 18, 18)), (1, 1, 1), SETTINGS)
    for start in (-2.0, 2.0):
        shifted = calibrate(grid.prior + np.float32(start), grid, SETTINGS, 1.0)
        share = (shifted[grid.inside] > 0).mean()
        assert 0.1 < share < 0.9


@pytest.mark.parametrize("organ", ["liver", "kidney L", "kidney R", "spleen", "lesion"])
def test_an_organ_of_the_phantom_is_found_from_its_box_and_clicks_help(organ: str) -> None:
    phantom = make_abdomen()
    reference = phantom.labels.array_kji == phantom.label(organ)
    scores = dice_by_click(session_on(phantom.image, reference), reference)
    assert scores[0] > 0.9 and min(scores) > 0.88 and max(scores) > 0.96


def test_a_click_alone_finds_an_organ() -> None:
    phantom = make_abdomen()
    reference = phantom.labels.array_kji == phantom.label("kidney L")
    session = Session(create("randomwalk"), phantom.image)
    centre = np.argwhere(reference).mean(axis=0).round()
    session.add(Point.from_ijk(phantom.image.geometry, centre[::-1]))
    assert dice(reference, session.predict().mask.array_kji > 0) > 0.9


@pytest.mark.parametrize("radius", [8, 12, 20, 30])
def test_a_click_alone_reaches_as_far_as_the_object(radius: int) -> None:
    side = 2 * radius + 40
    k, j, i = np.indices((side,) * 3) - side // 2
    ball = k**2 + j**2 + i**2 < radius**2
    image = 200 * ball + np.random.default_rng(0).normal(0, 20, ball.shape)
    volume = Volume(image.astype(np.float32), Geometry.from_spacing(ball.shape))
    session = Session(create("randomwalk"), volume)
    session.add(Point.from_ijk(volume.geometry, [side // 2] * 3))
    assert dice(ball, session.predict().mask.array_kji > 0) > 0.85


def kernel_of_a_click(image: np.ndarray, voxel: tuple[int, int, int]) -> np.ndarray:
    """How far a foreground click reaches in an image where nothing is object yet."""
    shape = image.shape
    grid = make_box_grid(shape, Region((1, 1, 1), tuple(n - 1 for n in shape)), (1, 1, 1), SETTINGS)
    smooth, mark = image.astype(np.float32), Mark(voxel, True)
    path = path_lengths(grid, smooth, mark, 3, SETTINGS)
    nothing = np.full(shape, -1, np.float32)
    return kernel(smooth, path, depth_map(grid, mark, nothing), mark, SETTINGS)


def test_a_click_does_not_reach_across_a_gap_to_another_object() -> None:
    image = np.zeros((16, 16, 40))
    image[3:13, 3:13, 3:18] = 1
    image[3:13, 3:13, 22:37] = 1
    reach = kernel_of_a_click(image, (8, 8, 10))
    assert reach[8, 8, 15] > 0.6
    assert reach[8, 8, 22:37].max() < 0.25 * reach[8, 8, 15]


def test_a_click_reaches_around_a_bend_rather_than_across_it() -> None:
    image = np.zeros((5, 40, 30))
    image[:, 2:36, 4:10] = image[:, 2:36, 20:26] = image[:, 30:36, 4:26] = 1
    reach = kernel_of_a_click(image, (2, 20, 7))
    along, across = reach[2, 33, 12], reach[2, 20, 22]
    assert along > 5 * across


def test_two_equal_blobs_are_kept_apart_by_a_click_on_one() -> None:
    rng = np.random.default_rng(0)
    array = rng.normal(0, 5, (30, 40, 80))
    k, j, i = np.indices(array.shape)
    blobs = [(k - 15) ** 2 + (j - 20) ** 2 + (i - x) ** 2 < 100 for x in (25, 50)]
    array[blobs[0] | blobs[1]] += 100
    volume = Volume(array.astype(np.float32), Geometry.from_spacing(array.shape))
    session = Session(create("randomwalk"), volume)
    session.add(Point.from_ijk(volume.geometry, (25, 20, 15)))
    mask = session.predict().mask.array_kji > 0
    assert mask[blobs[0]].mean() > 0.8 and mask[blobs[1]].mean() < 0.05


def test_small_islands_and_holes_go_but_for_those_with_a_mark() -> None:
    logits = np.full((12, 12, 30), -1, np.float32)
    logits[2:10, 2:10, 2:20] = 1
    logits[5, 5, 10] = -1
    logits[5, 5, 25] = logits[8, 8, 25] = 1
    cleaned = without_small_components(logits, [Mark((8, 8, 25), True)], SETTINGS)
    assert cleaned[5, 5, 10] > 0 > cleaned[5, 5, 25] and cleaned[8, 8, 25] > 0


@pytest.mark.parametrize(("width", "stays"), [(2, False), (6, True)])
def test_a_hole_stays_if_it_is_a_large_part_of_the_object(width: int, stays: bool) -> None:
    logits = np.full((16, 16, 16), -1, np.float32)
    logits[2:14, 2:14, 2:14] = 1
    logits[4 : 4 + width, 4 : 4 + width, 4 : 4 + width] = -1
    assert (without_small_components(logits, [], SETTINGS)[5, 5, 5] < 0) == stays


@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_order_and_sense_of_the_axes_change_nothing(axes: tuple[int, int, int]) -> None:
    volume, reference = make_blob(Geometry.from_spacing((16, 30, 24), (1, 1, 2)))
    mask = session_on(volume, reference).predict().mask
    moved = volume.permute(axes).flip(1)
    moved_reference = np.flip(reference.transpose(axes), 1)
    found = session_on(moved, moved_reference).predict().mask.array_kji
    assert dice(found, np.flip(mask.array_kji.transpose(axes), 1)) > 0.995


def test_a_foreground_click_outside_the_box_is_reached() -> None:
    volume, reference = make_blob(Geometry.from_spacing((30, 40, 60)))
    session = Session(create("randomwalk"), volume)
    session.add(Box.from_ijk(volume.geometry, (12, 8, 6), (35, 32, 24)))
    session.add(Point.from_ijk(volume.geometry, (45, 20, 15)))
    mask = session.predict().mask.array_kji
    assert mask[15, 20, 45] and dice(reference, mask > 0) > 0.7


def test_only_the_neighbourhood_of_the_box_is_looked_at() -> None:
    array = np.zeros((300, 200, 200), np.int16)
    array[140:160, 90:110, 90:110] = 500
    array += np.random.default_rng(0).integers(-20, 20, array.shape, dtype=np.int16)
    volume = Volume(array, Geometry.from_spacing(array.shape))
    session = Session(create("randomwalk"), volume)
    session.add(Box.from_ijk(volume.geometry, (88, 88, 138), (112, 112, 162)))
    prediction = session.predict()
    assert prediction.region.shape_kji == (36, 36, 36)
    assert dice(array > 250, prediction.mask.array_kji > 0) > 0.95


@pytest.mark.parametrize(
    ("name", "after_box", "after_clicks"),
    [
        ("ct_spleen_msd2", 0.70, 0.80),
        ("mr_prostate_promise1", 0.85, 0.87),
        ("mr_cord_t2s", 0.78, 0.80),
        ("mr_sts025", 0.74, 0.82),
        ("pet_sts025", 0.84, 0.88),
        ("multi_sts002_dicom_MR_T1", 0.87, 0.90),
    ],
)
def test_real_cases_stay_above_their_floor(
    name: str, after_box: float, after_clicks: float, real_data: Path
) -> None:
    case = next(c for c in read_cases(real_data / "cases.json") if c.name == name)
    loaded = load_case(case)
    reference = loaded.label.array_kji == case.objects[0][0]
    scores = dice_by_click(session_on(loaded.image, reference), reference)
    assert scores[0] > after_box and scores[-1] > after_clicks


def test_cases_that_only_smoke_run_through(real_data: Path) -> None:
    names = {
        c["name"]
        for c in json.loads((real_data / "smoke.json").read_text(encoding="utf-8"))["cases"]
    }
    for case in read_cases(real_data / "smoke.json"):
        assert case.name in names
        loaded = load_case(case)
        reference = loaded.label.array_kji == case.objects[0][0]
        assert session_on(loaded.image, reference).predict().mask.array_kji.any()
