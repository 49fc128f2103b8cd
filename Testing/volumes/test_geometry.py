from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from sample_volumes import DIRECTIONS, directions_of

from MedSegFMLib import Geometry, Region
from MedSegFMLib.errors import GeometryError

ORIENTATIONS = [
    "".join(letters) for pairs in permutations(["RL", "AP", "SI"]) for letters in product(*pairs)
]


def test_ras_and_back_is_the_same_voxel(geometry: Geometry) -> None:
    ijk = np.random.default_rng(0).uniform(-20, 20, (50, 3))
    assert np.allclose(geometry.ijk_from_ras(geometry.ras_from_ijk(ijk)), ijk, atol=1e-9)


def test_one_voxel_along_i_is_the_spacing_away(geometry: Geometry) -> None:
    start, stop = geometry.ras_from_ijk([(3, 4, 5), (4, 4, 5)])
    assert np.linalg.norm(stop - start) == pytest.approx(0.7)
    assert geometry.spacing_kji_mm == pytest.approx((3.1, 1.3, 0.7))
    assert geometry.voxel_volume_mm3 == pytest.approx(0.7 * 1.3 * 3.1)


def test_a_left_posterior_superior_grid_counts_toward_those_sides() -> None:
    geometry = Geometry.from_spacing((4, 4, 4), (2, 2, 2), directions_of("LPS"))
    assert np.allclose(geometry.ras_from_ijk((1, 0, 0)), (-2, 0, 0))
    assert np.allclose(geometry.ras_from_ijk((0, 1, 0)), (0, -2, 0))
    assert np.allclose(geometry.ras_from_ijk((0, 0, 1)), (0, 0, 2))


@pytest.mark.parametrize("codes", ORIENTATIONS)
def test_all_48_orientations_are_named_as_they_are(codes: str) -> None:
    assert len(ORIENTATIONS) == 48
    assert Geometry.from_spacing((2, 3, 4), (1, 2, 3), directions_of(codes)).axis_codes == codes


def test_two_axes_that_lean_to_one_side_still_get_two_names() -> None:
    # 52 degrees double oblique: i and j are both nearest to the right-left axis.
    i = np.array([0.70, 0.50, 0.51])
    j = np.array([-0.71, 0.50, 0.49])
    i, j = i / np.linalg.norm(i), j - (j @ i) * i / (i @ i)
    j /= np.linalg.norm(j)
    codes = Geometry.from_spacing(
        (2, 2, 2), directions=np.column_stack([i, j, np.cross(i, j)])
    ).axis_codes
    assert sorted("RAS".index(c.translate(str.maketrans("LPI", "RAS"))) for c in codes) == [0, 1, 2]


def test_a_crop_keeps_every_voxel_where_it_was(geometry: Geometry) -> None:
    cropped = geometry.crop(Region((2, 3, 1), (6, 10, 9)))
    assert cropped.shape_kji == (4, 7, 8)
    assert np.allclose(cropped.ras_from_ijk((0, 0, 0)), geometry.ras_from_ijk((1, 3, 2)))


def test_padding_undoes_a_crop(geometry: Geometry) -> None:
    back = geometry.crop(Region((2, 3, 1), (6, 10, 9))).pad((2, 3, 1), (3, 4, 2))
    assert back.matches(geometry, tolerance_mm=1e-9)


def test_a_crop_outside_the_volume_is_refused(geometry: Geometry) -> None:
    with pytest.raises(GeometryError, match="outside"):
        geometry.crop(Region((0, 0, 0), (1, 1, 99)))


def test_resampling_keeps_the_outer_faces(geometry: Geometry) -> None:
    finer = geometry.resampled([mm / 2 for mm in geometry.spacing_ijk_mm])
    assert finer.shape_kji == tuple(2 * n for n in geometry.shape_kji)
    faces = geometry.ras_from_ijk(geometry.corners_ijk(edge=0.5))
    assert np.allclose(finer.ras_from_ijk(finer.corners_ijk(edge=0.5)), faces, atol=1e-9)


def test_flipping_twice_changes_nothing(geometry: Geometry) -> None:
    for axis in range(3):
        assert geometry.flip(axis).flip(axis).matches(geometry, 1e-9)
        assert not geometry.flip(axis).matches(geometry)


def test_permuting_back_changes_nothing(geometry: Geometry) -> None:
    assert geometry.permute((2, 0, 1)).permute((1, 2, 0)) == geometry


def test_equal_geometries_are_one_key_of_a_dictionary(geometry: Geometry) -> None:
    again = Geometry(geometry.shape_kji, geometry.ijk_to_ras.copy())
    assert again == geometry and len({again, geometry}) == 1
    assert again != geometry.flip(0) and geometry != "a grid"


def test_the_matrix_cannot_be_written_to(geometry: Geometry) -> None:
    with pytest.raises(ValueError, match="read-only"):
        geometry.ijk_to_ras[0, 0] = 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.fill(np.nan), "last row|NaN"),
        (lambda m: m.__setitem__((0, 3), np.inf), "NaN or infinity"),
        (lambda m: m.__setitem__((slice(3), 2), 0), "spacing"),
        (lambda m: m.__setitem__((slice(3), 2), m[:3, 1]), "singular"),
        (lambda m: m.__setitem__((3, 0), 1), "last row"),
    ],
)
def test_a_matrix_that_is_no_grid_is_refused(change, said: str) -> None:  # type: ignore[no-untyped-def]
    matrix = np.eye(4)
    change(matrix)
    with pytest.raises(GeometryError, match=said):
        Geometry((2, 2, 2), matrix)


@pytest.mark.parametrize("shape", [(0, 2, 2), (2, 2), (2, 2, 2.5), (2, -1, 2)])
def test_a_shape_that_is_no_volume_is_refused(shape: tuple[float, ...]) -> None:
    with pytest.raises(GeometryError):
        Geometry(shape, np.eye(4))  # type: ignore[arg-type]


def test_a_sheared_grid_is_allowed_and_told_apart() -> None:
    matrix = np.eye(4)
    matrix[0, 2] = 0.4
    assert Geometry((2, 2, 2), matrix).is_sheared
    assert not any(
        Geometry.from_spacing((2, 2, 2), (1, 1, 20), d).is_sheared for d in DIRECTIONS.values()
    )


def test_a_region_without_voxels_is_refused() -> None:
    with pytest.raises(GeometryError, match="no voxel"):
        Region((1, 1, 1), (2, 1, 2))


def test_regions_cut_and_join_as_boxes_do() -> None:
    a, b = Region((0, 0, 0), (4, 4, 4)), Region((2, 1, 3), (6, 2, 9))
    assert a.intersection(b) == Region((2, 1, 3), (4, 2, 4))
    assert a.union(b) == Region((0, 0, 0), (6, 4, 9))
    assert a.intersection(Region((4, 0, 0), (5, 1, 1))) is None
    assert b.relative_to(Region((2, 1, 3), (9, 9, 9))) == Region((0, 0, 0), (4, 1, 6))
    assert b.grown((1, 3, 1), (7, 7, 7)) == Region((1, 0, 2), (7, 5, 7))
    assert a.size == 64 and a.contains(Region((1, 1, 1), (4, 4, 4))) and not a.contains(b)


def test_how_oblique_a_grid_is_is_the_largest_angle_of_its_axes() -> None:
    turn = np.radians(12)
    about_k = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    assert Geometry.from_spacing((3, 4, 5)).oblique_degrees == 0
    turned = Geometry.from_spacing((3, 4, 5), (1, 2, 3), about_k)
    assert turned.oblique_degrees == pytest.approx(12)
    assert turned.flip(0).permute((2, 0, 1)).oblique_degrees == pytest.approx(12)
