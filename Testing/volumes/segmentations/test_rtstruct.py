"""RTSTRUCT of DICOM series: voxels come back exactly, and contours as other programs write them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dicom_files import noise, slices, write_enhanced, write_files
from pydicom.dataset import Dataset
from segmentation_samples import masks_by_name, overlapping

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import GeometryError, MaskError, OutputError, VolumeError
from MedSegFMLib.volumes.segmentations.dicom_source import read_source
from MedSegFMLib.volumes.segmentations.dicom_write import Algorithm
from MedSegFMLib.volumes.segmentations.outlines import filled, outlines
from MedSegFMLib.volumes.segmentations.rtstruct_write import write_rtstruct
from MedSegFMLib.volumes.segmentations.segmentation import Segment, Segmentation

ALGORITHM = Algorithm("ensam", "0.2.0", "ab" * 32)
PATIENT = {
    "PatientSex": "F",
    "StudyDate": "20200101",
    "StudyTime": "120000",
    "AccessionNumber": "1",
    "StudyID": "1",
    "FrameOfReferenceUID": "1.2.826.0.1.3680043.8.498.1",
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "Müller^Jörg",
    "ReferringPhysicianName": "A^B",
}
Points = Sequence[tuple[float, float]]


def series(tmp_path: Path, **more: Any) -> Path:
    write_files(tmp_path / "ct", slices(noise(), **more)[::-1], **PATIENT)
    return tmp_path / "ct"


def segments_of(geometry: Geometry) -> Segmentation:
    """Overlapping objects, and noise: parts, holes, and parts in holes that touch at corners."""
    given = overlapping(geometry, '{"ledger": "ä"}')
    rng = np.random.default_rng(3)
    noises = (
        Segment.from_mask(50 + n, "n" * 70 + str(n), rng.random(geometry.shape_kji) < part)
        for n, part in enumerate((0.2, 0.5, 0.8, 1.0))
    )
    return replace(given, segments=(*given.segments, *noises))


def written(volume: Path, out: Path) -> Segmentation:
    source = read_source(out, volume)
    given = segments_of(source.geometry)
    write_rtstruct(given, out, source, ALGORITHM)
    return given


@pytest.mark.parametrize("kind", ["slices", "oblique", "tilted", "multi-frame"])
def test_every_voxel_comes_back(tmp_path: Path, kind: str) -> None:
    more: dict[str, Any] = {"step": (0, 1.2, 5.0)} if kind == "tilted" else {}
    if kind == "oblique":
        more = {"row": (0.6, 0.8, 0), "column": (0, 0, -1), "step": (-4.0, 3.0, 0.0)}
    volume = series(tmp_path, **more)
    if kind == "multi-frame":
        shuffled = [slices(noise())[n] for n in (3, 0, 5, 1, 4, 2)]
        volume = write_enhanced(tmp_path / "m" / "a.dcm", shuffled, **PATIENT)
    given = written(volume, tmp_path / "x.rtstruct.dcm")
    grid = Volume.read(volume).geometry
    for geometry in (None, grid):
        found = Segmentation.read(tmp_path / "x.rtstruct.dcm", geometry)
        assert found.geometry.matches(grid)
        assert [(s.label, s.name) for s in found.segments] == [
            (s.label, s.name) for s in given.segments
        ]
        for name, mask in masks_by_name(given).items():
            assert np.array_equal(masks_by_name(found)[name], mask), name
        for one, other in zip(found.segments, given.with_usual_colors().segments, strict=True):
            assert np.allclose(one.color_rgb or 0, other.color_rgb or 1, atol=0.005)
        assert found.ledger == given.ledger


def test_contours_run_half_a_voxel_around_the_object_and_refer_to_their_image(
    tmp_path: Path,
) -> None:
    folder = series(tmp_path)
    source = read_source(tmp_path / "x.rtstruct.dcm", folder)
    mask = np.zeros(source.geometry.shape_kji, bool)
    mask[2, 3:6, 4:9] = True
    given = Segmentation(source.geometry, (Segment.from_mask(7, "GTV", mask),))
    write_rtstruct(given, tmp_path / "x.rtstruct.dcm", source, ALGORITHM)
    dataset = pydicom.dcmread(tmp_path / "x.rtstruct.dcm")
    (item,) = dataset.ROIContourSequence
    (contour,) = item.ContourSequence
    points = np.reshape(contour.ContourData, (-1, 3)).astype(float)
    ijk = source.geometry.ijk_from_ras(points * (-1, -1, 1))
    assert np.allclose(ijk.min(axis=0), (3.5, 2.5, 2)) and np.allclose(
        ijk.max(axis=0), (8.5, 5.5, 2)
    )
    images = {pydicom.dcmread(p).SOPInstanceUID: pydicom.dcmread(p) for p in folder.iterdir()}
    (reference,) = contour.ContourImageSequence
    image = images[reference.ReferencedSOPInstanceUID]
    assert np.isclose(float(image.ImagePositionPatient[2]), points[0, 2])
    (frame,) = dataset.ReferencedFrameOfReferenceSequence
    (referenced,) = frame.RTReferencedStudySequence[0].RTReferencedSeriesSequence
    assert {i.ReferencedSOPInstanceUID for i in referenced.ContourImageSequence} == set(images)
    (roi,) = dataset.StructureSetROISequence
    assert (roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm) == (7, "GTV", "SEMIAUTOMATIC")
    assert dataset.PatientName == "Müller^Jörg" and dataset.PatientID == "4711"


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
@pytest.mark.parametrize("kind", ["slices", "multi-frame"])
def test_dciodvfy_finds_no_error_in_contours(tmp_path: Path, kind: str) -> None:
    volume = series(tmp_path)
    if kind == "multi-frame":
        volume = write_enhanced(tmp_path / "m" / "a.dcm", slices(noise()), **PATIENT)
    out = tmp_path / "x.rtstruct.dcm"
    written(volume, out)
    done = subprocess.run(
        ["dciodvfy", out], capture_output=True, text=True, check=False, encoding="latin-1"
    )
    assert "Error" not in done.stderr, done.stderr
    assert "RTStructureSet" in done.stderr


def test_a_square_is_filled_by_the_centres_of_voxels() -> None:
    square = np.array([(0.9, 1.9), (3.1, 1.9), (3.1, 3.1), (0.9, 3.1)])
    wanted = np.zeros((5, 6), bool)
    wanted[2:4, 1:4] = True
    assert np.array_equal(filled(square, (5, 6)), wanted)
    assert np.array_equal(filled(square[::-1], (5, 6)), wanted)
    assert not filled(square + 20, (5, 6)).any() and filled((square - 2) * 9, (5, 6)).all()


@pytest.mark.parametrize("part", [0.05, 0.3, 0.5, 0.7, 0.95])
def test_outlines_of_any_mask_enclose_its_voxels(part: float) -> None:
    mask = np.random.default_rng(int(100 * part)).random((40, 50)) < part
    found = np.zeros_like(mask)
    for polygon in outlines(mask):
        found ^= filled(polygon, mask.shape)
    assert np.array_equal(found, mask)


# Contours as other programs write them, in (i, j) of the slice 2.
OUTER: Points = [(1.5, 0.5), (9.5, 0.5), (9.5, 6.5), (1.5, 6.5)]
INNER: Points = [(3.5, 2.5), (5.5, 2.5), (5.5, 4.5), (3.5, 4.5)]
KEYHOLE: Points = [*OUTER, OUTER[0], *INNER, INNER[0], OUTER[0]]


def other_tools(
    tmp_path: Path, contours: Sequence[tuple[str, Points, float]], name: str = "GTV"
) -> tuple[Path, Geometry]:
    """An RTSTRUCT file without our private block: (type, vertices in i and j, slice)."""
    volume = series(tmp_path)
    written(volume, tmp_path / "x.dcm")
    geometry = Volume.read(volume).geometry
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    dataset.StructureSetROISequence = dataset.StructureSetROISequence[:1]
    roi = dataset.StructureSetROISequence[0]
    roi.ROINumber, roi.ROIName = 0, name
    del roi.ROIDescription
    item = dataset.ROIContourSequence[0]
    item.ReferencedROINumber = 0
    item.ContourSequence = []
    for kind, points, k in contours:
        ijk = np.column_stack([np.array(points), np.full(len(points), k)])
        contour = Dataset()
        contour.ContourGeometricType = kind
        contour.NumberOfContourPoints = len(points)
        lps = geometry.ras_from_ijk(ijk) * (-1, -1, 1)
        contour.ContourData = [f"{v:.2f}" for v in lps.ravel()]
        item.ContourSequence.append(contour)
    dataset.ROIContourSequence = [item]
    dataset.remove_private_tags()
    dataset.save_as(tmp_path / "x.dcm")
    return tmp_path / "x.dcm", geometry


@pytest.mark.parametrize(
    "contours",
    [
        [("CLOSED_PLANAR", KEYHOLE, 2)],
        [("CLOSED_PLANAR", OUTER, 2), ("CLOSED_PLANAR", INNER, 2)],
        [("CLOSED_PLANAR", INNER[::-1], 2), ("CLOSED_PLANAR", OUTER, 2)],
        [("CLOSEDPLANAR_XOR", OUTER, 2), ("CLOSEDPLANAR_XOR", INNER, 2)],
        [("CLOSED_PLANAR", [*OUTER, OUTER[0]], 2), ("CLOSED_PLANAR", INNER, 2)],
        [("CLOSED_PLANAR", KEYHOLE, 2), ("CLOSED_PLANAR", KEYHOLE, 2)],
        [("CLOSED_PLANAR", KEYHOLE, 2), ("POINT", OUTER[:1], 2), ("CLOSED_PLANAR", OUTER[:2], 2)],
    ],
    ids=["keyhole", "nested", "inner first", "xor", "closed by a copy", "twice", "with points"],
)
def test_contours_of_other_programs_have_their_holes(
    tmp_path: Path, contours: list[tuple[str, Points, float]]
) -> None:
    path, geometry = other_tools(tmp_path, contours)
    segment = Segmentation.read(path, geometry).segment("GTV")
    wanted = np.zeros(geometry.shape_kji, bool)
    wanted[2, 1:7, 2:10] = True
    wanted[2, 3:5, 4:6] = False
    assert np.array_equal(segment.on(geometry), wanted)
    assert segment.label == 1


def moved(offset_ij: tuple[float, float], k: float) -> list[tuple[str, Points, float]]:
    points = [(i + offset_ij[0], j + offset_ij[1]) for i, j in OUTER]
    return [("CLOSED_PLANAR", points, k)]


@pytest.mark.parametrize(
    ("contours", "said"),
    [
        (moved((0, 0), 2.4), "GTV' that is not on the image, but 2 mm off its slices"),
        (moved((0, 0), 2.05), "0.25 mm off its slices"),
        (moved((0, 0), 6), "beyond its first or last slice"),
        (moved((0, 0), -1), "beyond its first or last slice"),
        (moved((100, 0), 2), "beside it"),
    ],
)
def test_contours_that_are_not_on_the_image_are_refused_by_name(
    tmp_path: Path, contours: list[tuple[str, Points, float]], said: str
) -> None:
    path, geometry = other_tools(tmp_path, contours)
    with pytest.raises(GeometryError, match=said):
        Segmentation.read(path, geometry)


def test_structures_of_points_alone_are_refused_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, geometry = other_tools(tmp_path, [("POINT", OUTER[:1], 2), ("OPEN_PLANAR", OUTER, 2)])
    with pytest.raises(VolumeError, match="has no structure of closed contours"):
        Segmentation.read(path, geometry)
    assert "'GTV' that enclose nothing are left out: 1 of OPEN_PLANAR, 1 of POINT" in caplog.text


@pytest.mark.parametrize(
    ("contours", "said"),
    [
        ([*moved((0, 0), 1), *moved((0, 0), 3)], "has slices without a contour between others"),
        ([*moved((0, 0), 1), *moved((3, 1), 1)], "has contours that cross"),
        (moved((5, 0), 1), "extends beyond the image"),
        (moved((0, 0), 1) * 2, "has copies of contours, which count once"),
    ],
)
def test_what_contours_may_mean_otherwise_is_said(
    tmp_path: Path,
    contours: list[tuple[str, Points, float]],
    said: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    path, geometry = other_tools(tmp_path, contours)
    assert Segmentation.read(path, geometry).segment("GTV").voxels
    assert said in caplog.text


def test_contours_without_an_image_need_one(tmp_path: Path) -> None:
    path, _ = other_tools(tmp_path, [("CLOSED_PLANAR", OUTER, 2)])
    with pytest.raises(VolumeError, match="RTSTRUCT, contours without voxels; name the image"):
        Segmentation.read(path)


def _count(dataset: Dataset) -> None:
    dataset.ROIContourSequence[0].ContourSequence[0].NumberOfContourPoints = 3


def _text(dataset: Dataset) -> None:
    contour = dataset.ROIContourSequence[0].ContourSequence[0]
    contour.ContourData = [*contour.ContourData[:-1], "1e999"]


def _number(dataset: Dataset) -> None:
    dataset.StructureSetROISequence = [*dataset.StructureSetROISequence] * 2


@pytest.mark.parametrize("damage", [_count, _text, _number])
def test_damaged_contours_are_refused_by_name(
    tmp_path: Path, damage: Callable[[Dataset], None]
) -> None:
    path, geometry = other_tools(tmp_path, [("CLOSED_PLANAR", OUTER, 2)])
    dataset = pydicom.dcmread(path)
    damage(dataset)
    dataset.save_as(path)
    with pytest.raises(VolumeError, match=r"x\.dcm"):
        Segmentation.read(path, geometry)


def test_contours_that_were_cut_short_are_refused_by_name(tmp_path: Path) -> None:
    written(series(tmp_path), tmp_path / "x.rtstruct.dcm")
    content = (tmp_path / "x.rtstruct.dcm").read_bytes()
    for size in (len(content) // 4, len(content) // 2, len(content) - 20):
        (tmp_path / "x.rtstruct.dcm").write_bytes(content[:size])
        with pytest.raises(VolumeError, match=r"x\.rtstruct\.dcm"):
            Segmentation.read(tmp_path / "x.rtstruct.dcm")


def test_contours_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    out = tmp_path / "x.rtstruct.dcm"
    source = read_source(out, series(tmp_path))
    with pytest.raises(MaskError, match="would have no segment; RTSTRUCT needs one"):
        write_rtstruct(Segmentation(source.geometry, ()), out, source, ALGORITHM)
    plain = Volume(np.zeros((2, 2, 2), np.uint8), Geometry.from_spacing((2, 2, 2)))
    plain.write(tmp_path / "a.nii.gz")
    with pytest.raises(OutputError, match="would be RTSTRUCT, which refers to the images"):
        read_source(out, tmp_path / "a.nii.gz")
    assert not out.exists()
