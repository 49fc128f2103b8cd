"""Several images of one patient: on one grid or refused, moved together, taken by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Region, Volume
from MedSegFMLib.errors import VolumeError
from MedSegFMLib.volumes.images import combined, image_names, taken_by
from MedSegFMLib.volumes.io.several import ImageFiles, parse_images
from MedSegFMLib.volumes.right_angles import StraightGrid

SEQUENCES = ("T1", "T1ce", "T2", "FLAIR")


@pytest.fixture
def images(directions: np.ndarray) -> dict[str, Volume]:
    """Four sequences of types of their own on one grid."""
    geometry = Geometry.from_spacing((6, 8, 10), (1.0, 1.5, 3.0), directions, (4, -5, 6))
    types = (np.float32, np.int16, np.uint8, np.float64)
    return {
        name: Volume((np.indices((6, 8, 10)).sum(axis=0) + 10 * n).astype(kind), geometry)
        for n, (name, kind) in enumerate(zip(("t1", "t1-ce", "t2", "flair"), types, strict=True))
    }


def test_the_primary_image_is_the_volume(images: dict[str, Volume]) -> None:
    volume = combined(images, "t2")
    assert volume.primary == "t2" and list(volume.images) == list(images)
    assert volume.array_kji is volume.images["t2"]
    assert combined(images).primary == "t1", "the first by default"
    for name, image in images.items():
        assert np.array_equal(volume.image(name).array_kji, image.array_kji)
        assert volume.images[name].dtype == image.array_kji.dtype


def test_one_image_alone_is_a_plain_volume(images: dict[str, Volume]) -> None:
    alone = combined({"t1": images["t1"]})
    assert not alone.images and alone.primary == "" and len(alone.arrays) == 1


def test_all_images_move_together(images: dict[str, Volume]) -> None:
    volume = combined(images, "flair")
    region = Region((1, 2, 3), (5, 7, 9))
    finer = Geometry.from_spacing(
        (5, 9, 7), (1.1, 1.2, 2.5), volume.geometry.directions, volume.geometry.origin_ras
    )
    moves = (
        lambda v: v.crop(region),
        lambda v: v.pad((1, 0, 2), (0, 3, 1), 7),
        lambda v: v.permute((2, 0, 1)),
        lambda v: v.flip(1),
        lambda v: v.reoriented("PSR"),
        lambda v: v.resample(finer),
    )
    for move in moves:
        moved = move(volume)
        assert moved.primary == "flair" and moved.array_kji is moved.images["flair"]
        for name, image in images.items():
            alone = move(image)
            assert np.array_equal(moved.images[name], alone.array_kji)
            assert moved.geometry.matches(alone.geometry)


def test_sheared_images_are_straightened_together(images: dict[str, Volume]) -> None:
    matrix = images["t1"].geometry.ijk_to_ras.copy()
    matrix[:3, 2] += 0.4 * matrix[:3, 1]
    sheared = Geometry((6, 8, 10), matrix)
    tilted = {name: Volume(image.array_kji, sheared) for name, image in images.items()}
    grid = StraightGrid.of(sheared)
    assert grid.is_resampled
    whole = grid.volume(combined(tilted))
    for name, image in tilted.items():
        assert np.array_equal(whole.images[name], grid.volume(image).array_kji)


def test_other_voxels_are_one_image(images: dict[str, Volume]) -> None:
    volume = combined(images)
    assert not volume.with_array(volume.array_kji + 1).images
    assert "t1-ce" in repr(volume) and "images" not in repr(images["t1"])


def test_images_on_other_grids_are_refused_in_one_sentence(images: dict[str, Volume]) -> None:
    padded = images["t2"].pad((0, 0, 0), (0, 0, 1))
    shifted = padded.crop(Region((0, 0, 1), (6, 8, 11)))
    with pytest.raises(VolumeError, match=r"^The image t2 is on another grid .* than the image t1"):
        combined({**images, "t2": shifted})
    smaller = images["t2"].crop(Region((0, 0, 0), (5, 8, 10)))
    with pytest.raises(VolumeError, match="--resample-images"):
        combined({**images, "t2": smaller})


def test_on_request_they_are_resampled_to_the_primary_grid(images: dict[str, Volume]) -> None:
    smaller = images["t2"].crop(Region((1, 2, 3), (5, 7, 9)))
    volume = combined({**images, "t2": smaller}, "t1", resample=True)
    inside = volume.images["t2"][1:5, 2:7, 3:9]
    assert np.allclose(inside, smaller.array_kji, atol=1e-4)
    assert volume.images["t2"][0].max() == smaller.array_kji.min(), "its lowest value beyond it"
    assert volume.geometry == images["t1"].geometry


def test_images_apart_in_the_patient_are_refused_even_then(images: dict[str, Volume]) -> None:
    matrix = images["t2"].geometry.ijk_to_ras.copy()
    matrix[:3, 3] += 1000
    away = Volume(images["t2"].array_kji, Geometry((6, 8, 10), matrix))
    with pytest.raises(VolumeError, match="do not overlap in the patient"):
        combined({**images, "t2": away}, resample=True)


def test_an_unknown_primary_image_is_refused(images: dict[str, Volume]) -> None:
    with pytest.raises(VolumeError, match=r"'pet'.*t1, t1-ce, t2, flair"):
        combined(images, "pet")


def test_a_model_gets_its_images_in_its_order_whatever_their_spelling(
    images: dict[str, Volume],
) -> None:
    given = combined({name: images[name] for name in ("flair", "t2", "t1-ce", "t1")}, "t2")
    taken = taken_by(given, SEQUENCES, "BraTS")
    assert tuple(taken.volume.images) == SEQUENCES and taken.note == ""
    assert taken.volume.primary == "T2"
    for own, name in zip(SEQUENCES, images, strict=True):
        assert np.array_equal(taken.volume.images[own], images[name].array_kji)
    again = taken_by(taken.volume, SEQUENCES, "BraTS")
    assert tuple(again.volume.images) == SEQUENCES


def test_images_that_a_model_does_not_name_are_left_out_and_said(
    images: dict[str, Volume],
) -> None:
    taken = taken_by(combined(images, "t2"), ("T1", "FLAIR"), "Two")
    assert tuple(taken.volume.images) == ("T1", "FLAIR")
    assert taken.note == "Two uses t1 and flair and not t1-ce and t2."


def test_a_model_of_one_image_uses_the_primary_one_and_says_so(images: dict[str, Volume]) -> None:
    taken = taken_by(combined(images, "t2"), 1, "ENSAM")
    assert np.array_equal(taken.volume.array_kji, images["t2"].array_kji)
    assert not taken.volume.images
    assert taken.note == (
        "ENSAM takes one image of a volume and uses t2, not t1, t1-ce and flair; make another "
        "the primary image (--primary NAME) to use that."
    )


def test_a_model_of_one_named_image_gets_the_one_of_its_name(images: dict[str, Volume]) -> None:
    taken = taken_by(combined(images, "t2"), ("FLAIR",), "nnU-Net")
    assert np.array_equal(taken.volume.array_kji, images["flair"].array_kji)
    other = taken_by(combined(images, "t2"), ("CT",), "nnU-Net")
    assert np.array_equal(other.volume.array_kji, images["t2"].array_kji)
    alone = taken_by(images["t2"], ("CT",), "nnU-Net")
    assert alone.volume is images["t2"] and alone.note == ""


def test_unnamed_images_are_taken_in_the_order_given(images: dict[str, Volume]) -> None:
    given = combined(images)
    for channels in (4, ("MRI",) * 4):
        assert list(taken_by(given, channels, "SAM3D").volume.images) == list(images)
    assert image_names(4) == ("1", "2", "3", "4") == image_names(("MRI",) * 4)
    assert image_names(SEQUENCES) == SEQUENCES and image_names(1) == () == image_names(("CT",))


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        (SEQUENCES, r"takes 4 images of each volume at once \(T1, T1ce, T2, FLAIR\), and this one"),
        (3, "takes 3 images of each volume at once, and this one has t1, t2"),
        (
            ("a", "b"),
            r"\(a, b\), and this one has t1, t2; give each by its name",
        ),
    ],
    ids=["names", "number", "other names"],
)
def test_missing_images_are_named(
    channels: tuple[str, ...] | int, words: str, images: dict[str, Volume]
) -> None:
    with pytest.raises(VolumeError, match=words):
        taken_by(combined({name: images[name] for name in ("t1", "t2")}), channels, "nnU-Net")
    with pytest.raises(VolumeError, match="this one has a single image"):
        taken_by(images["t1"], channels, "nnU-Net")


def test_infinite_values_of_any_image_are_refused_by_its_name(images: dict[str, Volume]) -> None:
    bad = images["t1"].with_array(np.where(images["t1"].array_kji == 3, np.inf, 0.0))
    with pytest.raises(VolumeError, match="The image t2 contains NaN"):
        combined({**images, "t2": bad}).intensity_range()


def test_files_are_read_by_name_and_by_number_of_a_4d_file(tmp_path: Path) -> None:
    import nibabel

    four = np.random.default_rng(0).normal(0, 50, (10, 8, 6, 2)).astype(np.float32)
    nibabel.Nifti1Image(four, np.diag([1.0, 1.5, 3.0, 1.0])).to_filename(tmp_path / "four.nii.gz")
    texts = [f"flair={tmp_path / 'four.nii.gz'}:2", f"t1={tmp_path / 'four.nii.gz'}:1"]
    files = parse_images(texts, "t1")
    assert files.main == tmp_path / "four.nii.gz"
    assert files.choices == {"flair": "2", "t1": "1"}
    volume = files.read()
    assert list(volume.images) == ["flair", "t1"] and volume.primary == "t1"
    for name, n in (("t1", 0), ("flair", 1)):
        assert np.allclose(volume.images[name], four[..., n].transpose())


def test_a_colon_in_a_name_of_a_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "scan:2"
    assert ImageFiles.of({"a": f"{path}.nii"}).paths == {"a": Path(f"{path}.nii")}
    make_blob(Geometry.from_spacing((4, 5, 6)))[0].write(tmp_path / "x.nrrd")
    (tmp_path / "x.nrrd").rename(path)
    assert ImageFiles.of({"a": str(path)}).paths == {"a": path}


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["t1"], "is not NAME=FILE"),
        (["=x.nii"], "is not NAME=FILE"),
        (["t1="], "is not NAME=FILE"),
        (["t1=x", "t1=y"], "Two images have the name t1"),
        (["t\n1=x"], "control character"),
    ],
    ids=["no file", "no name", "empty file", "twice", "control"],
)
def test_images_that_are_not_named_are_refused(texts: list[str], words: str) -> None:
    with pytest.raises(VolumeError, match=words):
        parse_images(texts)


def test_suv_needs_a_pet_series(tmp_path: Path) -> None:
    make_blob(Geometry.from_spacing((4, 5, 6)))[0].write(tmp_path / "x.nrrd")
    with pytest.raises(VolumeError, match="no image is one"):
        parse_images([f"a={tmp_path / 'x.nrrd'}"]).read(suv=True)
