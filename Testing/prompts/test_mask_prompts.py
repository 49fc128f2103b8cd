"""Existing segments as prompts: where their voxels are, what is refused, and what is stored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from MedSegFMLib import Box, Geometry, Mask, Point, Region, Volume
from MedSegFMLib.errors import PromptError
from MedSegFMLib.prompts.edits import carrier, with_prompt
from MedSegFMLib.prompts.json_format import (
    prompts_from_json,
    prompts_to_json,
    read_prompts,
    write_prompts,
)
from MedSegFMLib.prompts.mask_voxels import is_resampled, start_voxels
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.prompts.types import as_background
from MedSegFMLib.prompts.voxels import enforce_marks, to_voxels


@pytest.fixture
def inside(geometry: Geometry) -> np.ndarray:
    """An object without symmetry."""
    array = np.zeros(geometry.shape_kji, bool)
    array[2:5, 3:9, 2:6] = True
    array[5, 3, 2] = array[2, 9, 5] = True
    return array


def on_grid(mask: Mask, geometry: Geometry) -> np.ndarray:
    return start_voxels(mask, geometry).on(Region.whole(geometry.shape_kji))


def test_a_mask_is_cropped_and_gives_its_voxels_again(
    geometry: Geometry, inside: np.ndarray
) -> None:
    mask = Mask.from_array(inside, geometry)
    assert mask.geometry.shape_kji == (4, 7, 4) and mask.count == 3 * 6 * 4 + 2
    assert len(mask.bits) == 14
    assert np.array_equal(on_grid(mask, geometry), inside)
    assert not is_resampled(mask, geometry)


def test_equal_voxels_are_equal_masks_and_another_role_is_not(
    geometry: Geometry, inside: np.ndarray
) -> None:
    mask, same = (Mask.from_array(inside, geometry) for _ in range(2))
    assert mask == same and hash(mask) == hash(same)
    assert mask != mask.as_role("avoid") and mask != Mask.from_array(inside[::-1], geometry)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mask_with_axes_in_another_order_keeps_its_voxels(
    geometry: Geometry, inside: np.ndarray, axis: int
) -> None:
    volume = Volume(inside, geometry).permute((1, 2, 0)).flip(axis)
    mask = Mask.from_volume(volume)
    assert np.array_equal(on_grid(mask, geometry), inside)
    assert not is_resampled(mask, geometry)


def test_a_mask_on_finer_voxels_is_brought_to_the_nearest(
    geometry: Geometry, inside: np.ndarray
) -> None:
    finer = geometry.resampled([mm / 3 for mm in geometry.spacing_ijk_mm])
    mask = Mask.from_volume(Volume(inside.astype(np.uint8), geometry).resample(finer, order=0))
    assert np.array_equal(on_grid(mask, geometry), inside)
    assert is_resampled(mask, geometry)


def test_a_mask_smaller_than_a_voxel_marks_the_voxel_it_is_in(geometry: Geometry) -> None:
    finer = geometry.resampled([mm / 4 for mm in geometry.spacing_ijk_mm])
    array = np.zeros(finer.shape_kji, bool)
    array[4 * 3, 4 * 4, 4 * 5] = True
    found = np.argwhere(on_grid(Mask.from_array(array, finer), geometry))
    assert found.tolist() == [[3, 4, 5]]


def test_a_mask_that_leaves_the_volume_is_clipped_to_it(
    geometry: Geometry, inside: np.ndarray
) -> None:
    mask = Mask.from_array(inside, geometry)
    cropped = Region((3, 4, 3), (9, 14, 11))
    assert np.array_equal(on_grid(mask, geometry.crop(cropped)), inside[cropped.slices])


def test_a_mask_beside_the_volume_is_refused(geometry: Geometry, inside: np.ndarray) -> None:
    mask = Mask.from_array(inside, geometry)
    far = geometry.ijk_to_ras.copy()
    far[:3, 3] += 500
    with pytest.raises(PromptError, match="outside the volume"):
        to_voxels([mask], Geometry(geometry.shape_kji, far))


def test_a_mask_of_the_whole_volume_is_refused(geometry: Geometry) -> None:
    for role in ("start", "avoid"):
        with pytest.raises(PromptError, match="covers every voxel"):
            to_voxels(
                [Mask.from_array(np.ones(geometry.shape_kji, bool), geometry, role=role)],  # type: ignore[arg-type]
                geometry,
            )


@pytest.mark.parametrize(
    ("change", "labels", "said"),
    [
        (lambda a: np.zeros_like(a), (), "is empty"),
        (lambda a: a * 0.4, (), "contains 0.4"),
        (lambda a: np.where(a, np.nan, 0), (), "contains nan"),
        (lambda a: a.astype(np.int16) * -5, (), "contains -5"),
        (lambda a: a.astype(complex), (), "complex"),
        (lambda a: a[1:], (), "shape"),
        (lambda a: a[0], (), "shape"),
        (lambda a: a.astype(np.uint8) * 3, (1,), "no label 1; it has the label 3"),
        (lambda a: a.astype(np.uint8) + (a.cumsum().reshape(a.shape) > 9) * a, (), "labels 1, 2"),
        (lambda a: a.astype(np.uint8) + a.cumsum().reshape(a.shape) * a, (), "and 62 more"),
        (lambda a: np.zeros_like(a), (2,), "no label 2; it has none"),
    ],
)
def test_an_array_that_is_no_mask_is_refused(
    geometry: Geometry, inside: np.ndarray, change, labels: tuple[int, ...], said: str
) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(PromptError, match=said):
        Mask.from_array(change(inside), geometry, labels)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int16", "float32", "float64"])
def test_whole_numbers_of_any_type_are_a_mask(
    geometry: Geometry, inside: np.ndarray, dtype: str
) -> None:
    assert Mask.from_array(inside.astype(dtype), geometry) == Mask.from_array(inside, geometry)


def test_labels_choose_what_belongs_to_a_mask(geometry: Geometry, inside: np.ndarray) -> None:
    labels = inside.astype(np.uint8)
    labels[3] *= 4
    assert np.array_equal(on_grid(Mask.from_array(labels, geometry, [4]), geometry), labels == 4)
    assert Mask.from_array(labels, geometry, [1, 4]) == Mask.from_array(inside, geometry)
    assert Mask.from_array(labels, geometry, role="avoid").count == inside.sum()


@pytest.mark.parametrize(
    ("bits", "role", "said"),
    [
        (b"\xff" * 3, "start", "2 bytes"),
        (b"\x00\x00", "start", "is empty"),
        (b"\x00\x00", "avoid", "is empty"),
        (b"\xff\xff", "start", "beyond its grid"),
        (b"\xff\xf0", "other", "role 'other'"),
        ("\xff\xf0", "start", "2 bytes"),
    ],
)
def test_bits_that_are_no_mask_are_refused(bits: bytes, role: str, said: str) -> None:
    with pytest.raises(PromptError, match=said):
        Mask(Geometry.from_spacing((1, 3, 4)), bits, role)  # type: ignore[arg-type]
    assert Mask(Geometry.from_spacing((1, 3, 4)), b"\x00\x00", "keep").count == 0


def test_fixed_voxels_are_enforced_and_a_click_decides_its_own(
    geometry: Geometry, inside: np.ndarray
) -> None:
    part = Region((2, 3, 2), (4, 5, 6))
    kept = np.zeros(part.shape_kji, bool)
    kept[0] = True
    prompts = [
        Mask.from_array(inside, geometry, role="avoid"),
        Mask.from_array(kept, geometry.crop(part), role="keep"),
        Point.from_ijk(geometry, (2, 3, 3)),
        Point.from_ijk(geometry, (2, 3, 2), positive=False),
    ]
    expected = ~inside
    expected[part.slices] = kept
    expected[3, 3, 2], expected[2, 3, 2] = True, False
    for order in (prompts, prompts[2:] + prompts[:2]):
        logits = np.full(geometry.shape_kji, 7, np.float32)
        enforce_marks(logits, to_voxels(order, geometry), 3)
        assert np.array_equal(logits > 0, expected)
        assert (np.abs(logits) >= 3).all()


def test_marks_of_a_region_hold_the_parts_of_the_masks_in_it(
    geometry: Geometry, inside: np.ndarray
) -> None:
    prompts = [Mask.from_array(inside, geometry), Mask.from_array(inside, geometry, role="avoid")]
    region = Region((4, 3, 0), (7, 7, 5))
    marks = to_voxels(prompts, geometry).within(region)
    assert marks.start is not None and marks.fixed is not None
    assert np.array_equal(marks.start.on(Region.whole(region.shape_kji)), inside[region.slices])
    assert np.array_equal(
        marks.fixed.fixed_kji, inside[marks.fixed.region.shifted(region.start_kji).slices]
    )
    beside = to_voxels(prompts, geometry).within(Region((7, 0, 0), (9, 3, 3)))
    assert beside.start is None and beside.fixed is None


def test_what_is_kept_is_no_place_for_other_objects(geometry: Geometry, inside: np.ndarray) -> None:
    mask = Mask.from_array(inside, geometry)
    assert as_background(mask) is None and as_background(mask.as_role("avoid")) is None
    assert as_background(mask.as_role("keep")) == mask.as_role("avoid")
    nothing = Mask.from_array(
        np.zeros((2, 2, 2), bool), Geometry.from_spacing((2, 2, 2)), (), "keep"
    )
    assert as_background(nothing) is None


def test_a_second_start_begins_an_object_as_a_second_box_does(
    geometry: Geometry, inside: np.ndarray
) -> None:
    mask = Mask.from_array(inside, geometry)
    prompts, label = with_prompt(PromptList(), mask, 1, new_object_per_box=True)
    prompts, label = with_prompt(prompts, mask.as_role("avoid"), label, new_object_per_box=True)
    prompts, label = with_prompt(prompts, Box.from_ijk(geometry, (1, 1, 1), (3, 3, 3)), label, True)
    assert label == 1
    assert with_prompt(prompts, mask, label)[1] == 1
    assert with_prompt(prompts, mask, label, new_object_per_box=True)[1] == 2


def test_a_mask_moves_with_the_volume(geometry: Geometry, inside: np.ndarray) -> None:
    turn = np.eye(4)
    turn[:3] = [[0, -1, 0, 5], [1, 0, 0, -3], [0, 0, 1, 40]]
    prompts = PromptList().with_object().added(1, Mask.from_array(inside, geometry))
    (_, moved), *_ = carrier(turn)(prompts).entries
    there = Geometry(geometry.shape_kji, turn @ geometry.ijk_to_ras)
    assert isinstance(moved, Mask) and np.array_equal(on_grid(moved, there), inside)


def test_a_file_gives_back_the_very_masks(
    geometry: Geometry, inside: np.ndarray, tmp_path: Path
) -> None:
    mask = Mask.from_array(inside, geometry)
    prompts = PromptList().with_object("liver").added(1, mask).added(1, mask.as_role("keep"))
    write_prompts(prompts, tmp_path / "p.json")
    assert read_prompts(tmp_path / "p.json") == prompts


def test_a_large_mask_of_noise_is_stored_and_read() -> None:
    noise = np.random.default_rng(0).random((64, 256, 256)) > 0.5
    mask = Mask.from_array(noise, Geometry.from_spacing(noise.shape))
    prompts = PromptList().with_object().added(1, mask)
    assert prompts_from_json(prompts_to_json(prompts)) == prompts


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"bits": "%%"}, "damaged"),
        ({"bits": 5}, "not text"),
        ({"bits": "eJwDAAAAAAE="}, "0 bytes"),
        ({"role": ["start"]}, "role"),
        ({"role": "stop"}, "role 'stop'"),
        ({"shape_kji": [4, 7, 5]}, "bytes"),
        ({"shape_kji": [4, 7]}, "incomplete"),
        ({"shape_kji": [1 << 20, 1 << 20, 1 << 20]}, "it may have"),
        ({"ijk_to_ras": [[0] * 4] * 4}, "incomplete"),
        ({"ijk_to_ras": None}, "incomplete"),
    ],
)
def test_a_stored_mask_that_was_altered_is_refused(
    geometry: Geometry, inside: np.ndarray, change: dict[str, object], said: str
) -> None:
    prompts = PromptList().with_object().added(1, Mask.from_array(inside, geometry))
    document = json.loads(prompts_to_json(prompts))
    document["prompts"][0].update(change)
    with pytest.raises(PromptError, match=said):
        prompts_from_json(json.dumps(document))


def test_a_mask_that_inflates_without_end_is_refused_early() -> None:
    import base64
    import zlib

    bomb = base64.b64encode(zlib.compress(bytes(50_000_000), 9)).decode()
    item = {"object": 1, "type": "mask", "role": "keep", "shape_kji": [2, 2, 2]}
    item |= {"ijk_to_ras": np.eye(4).tolist(), "bits": bomb}
    document = json.loads(prompts_to_json(PromptList().with_object()))
    document["prompts"] = [item]
    with pytest.raises(PromptError, match="2 bytes, not 1"):
        prompts_from_json(json.dumps(document))
