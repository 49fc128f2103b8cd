"""DICOM SEG of DICOM series: read by highdicom and pydicom, verified by dciodvfy, and read back."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pydicom
import pytest
from dicom_files import noise, slices, write_enhanced, write_files
from segmentation_samples import masks_by_name, overlapping

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import MaskError, OutputError, VolumeError
from MedSegFMLib.volumes.segmentations.dicom_source import read_source
from MedSegFMLib.volumes.segmentations.dicom_write import (
    Algorithm,
    check_source,
    write_dicom_seg,
)
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation

ALGORITHM = Algorithm("ensam", "0.2.0", "ab" * 32)
# What scanners state, beside the elements of the other tests' files.
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


def numbered(segmentation: Segmentation) -> Segmentation:
    """With the numbers that DICOM SEG gives to segments."""
    segments = [replace(s, label=n) for n, s in enumerate(segmentation.segments, 1)]
    return replace(segmentation, segments=tuple(segments))


def written(folder: Path, out: Path, overlap: bool = True) -> tuple[Path, Segmentation]:
    """A segmentation of a series."""
    source = read_source(out, folder)
    given = numbered(overlapping(source.geometry, '{"ledger": "ä"}'))
    if not overlap:
        given = replace(given, segments=(given.segments[0], given.segments[2]))
        given = numbered(given)
    check_source(source, out)
    write_dicom_seg(given, out, source, ALGORITHM)
    return out, given


def series(tmp_path: Path, **more: Any) -> Path:
    write_files(tmp_path / "ct", slices(noise(), **more)[::-1], **PATIENT)
    return tmp_path / "ct"


@pytest.mark.parametrize("overlap", [True, False])
def test_segments_come_back_and_highdicom_reads_the_same(tmp_path: Path, overlap: bool) -> None:
    folder = series(tmp_path)
    out, given = written(folder, tmp_path / "x.dcm", overlap)
    assert given.geometry.matches(Volume.read(folder).geometry)
    found = Segmentation.read(out)
    # Empty slices at the ends are not in the file.
    masks = masks_by_name(given)
    for segment in found.segments:
        on_series = Volume(segment.on(found.geometry), found.geometry).resample(given.geometry, 0)
        assert np.array_equal(on_series.array_kji, masks[segment.name]), segment.name
    usual = given.with_usual_colors().segments
    assert [(s.name, s.meaning) for s in found.segments] == [(s.name, s.meaning) for s in usual]
    assert found.ledger == given.ledger
    for one, other in zip(found.segments, usual, strict=True):
        assert np.allclose(one.color_rgb or 0, other.color_rgb or 1, atol=0.02)
    theirs = highdicom.seg.segread(out)
    uids = [pydicom.dcmread(p).SOPInstanceUID for p in sorted(folder.iterdir(), reverse=True)]
    for n, mask in enumerate(masks.values(), 1):
        frames = theirs.get_pixels_by_source_instance(
            uids,
            segment_numbers=[n],
            ignore_spatial_locations=False,
            assert_missing_frames_are_empty=True,
        )
        assert np.array_equal(frames[..., 0] > 0, mask)


def test_codes_of_the_fma_are_beside_those_of_snomed_ct(tmp_path: Path) -> None:
    out, given = written(series(tmp_path), tmp_path / "x.dcm")
    dataset = pydicom.dcmread(out)
    for item, segment in zip(dataset.SegmentSequence, given.segments, strict=True):
        kind = item.SegmentedPropertyTypeCodeSequence[0]
        found = [
            (code.CodingSchemeDesignator, code.CodeValue)
            for code in kind.get("EquivalentCodeSequence", [])
        ]
        wanted = {"liver": [("FMA", "7197")], "Left_Kidney": [("FMA", "7203")]}
        assert found == wanted.get(segment.name, [])


def test_headers_say_what_made_the_segments_and_from_which_images(tmp_path: Path) -> None:
    folder = series(tmp_path)
    out, _ = written(folder, tmp_path / "x.dcm")
    dataset = pydicom.dcmread(out)
    (referenced,) = dataset.ReferencedSeriesSequence
    images = [pydicom.dcmread(path) for path in folder.iterdir()]
    assert referenced.SeriesInstanceUID == images[0].SeriesInstanceUID
    assert {i.ReferencedSOPInstanceUID for i in referenced.ReferencedInstanceSequence} == {
        image.SOPInstanceUID for image in images
    }
    assert dataset.PatientName == "Müller^Jörg" and dataset.PatientID == "4711"
    assert dataset.StudyInstanceUID == images[0].StudyInstanceUID
    kidney = dataset.SegmentSequence[2]
    (kind,) = kidney.SegmentedPropertyTypeCodeSequence
    assert kind.CodeValue == "64033007"
    assert kind.SegmentedPropertyTypeModifierCodeSequence[0].CodeValue == "7771000"
    (algorithm,) = kidney.SegmentationAlgorithmIdentificationSequence
    assert algorithm.AlgorithmName == kidney.SegmentAlgorithmName == "MedSegFM ensam"
    assert algorithm.AlgorithmVersion == "0.2.0"
    assert algorithm.AlgorithmParameters == f"weights-sha256={'ab' * 32}"


@pytest.mark.parametrize("fractional", [False, True])
def test_probabilities_are_stored_and_their_half_is_the_mask(
    tmp_path: Path, fractional: bool
) -> None:
    folder = series(tmp_path)
    source = read_source(tmp_path / "x.dcm", folder)
    given = numbered(overlapping(source.geometry))
    segments = []
    for segment in given.segments[:2]:
        rng = np.random.default_rng(segment.label)
        low = rng.uniform(0, 0.5, segment.mask_kji.shape)
        values = np.where(segment.mask_kji, 1 - low, low).astype(np.float32)
        segments.append(replace(segment, probability_kji=values))
    given = replace(given, segments=tuple(segments))
    write_dicom_seg(given, tmp_path / "x.dcm", source, ALGORITHM, fractional)
    found = Segmentation.read(tmp_path / "x.dcm")
    for one in found.segments:
        mask = Volume(one.on(found.geometry), found.geometry).resample(given.geometry, 0)
        assert np.array_equal(mask.array_kji, given.segment(one.name).on(given.geometry))
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    assert dataset.SegmentationType == ("FRACTIONAL" if fractional else "BINARY")
    if fractional:
        first = segments[0].region
        frame = dataset.PerFrameFunctionalGroupsSequence[0]
        place = frame.PlanePositionSequence[0].ImagePositionPatient
        k = round((float(place[2]) - 30) / 5) - first.start_kji[0]
        assert segments[0].probability_kji is not None
        wanted = segments[0].probability_kji[k]
        stored = dataset.pixel_array[0][first.slices[1:]] / 255
        assert np.allclose(stored, wanted, atol=1 / 128)


def test_a_multi_frame_file_in_any_order_of_frames_gets_its_segments(tmp_path: Path) -> None:
    shuffled = [slices(noise())[n] for n in (3, 0, 5, 1, 4, 2)]
    more = {**PATIENT, "InstanceNumber": 1}
    path = write_enhanced(tmp_path / "ct" / "a.dcm", shuffled, **more)
    out, given = written(path, tmp_path / "x.dcm")
    found = Segmentation.read(out)
    for segment in found.segments:
        mask = Volume(segment.on(found.geometry), found.geometry).resample(given.geometry, 0)
        assert np.array_equal(mask.array_kji, masks_by_name(given)[segment.name]), segment.name


def test_a_tilted_gantry_keeps_its_grid(tmp_path: Path) -> None:
    folder = series(tmp_path, step=(0, 1.2, 5.0))
    out, given = written(folder, tmp_path / "x.dcm")
    assert given.geometry.is_sheared
    found = Segmentation.read(out)
    assert np.allclose(found.geometry.ijk_to_ras[:3, :3], given.geometry.ijk_to_ras[:3, :3])
    assert np.array_equal(found.segments[0].mask_kji, given.segments[0].mask_kji)


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dicom3tools is not installed")
@pytest.mark.parametrize("kind", ["overlap", "labels", "multi-frame"])
def test_dciodvfy_finds_no_error(tmp_path: Path, kind: str) -> None:
    folder = series(tmp_path)
    if kind == "multi-frame":
        folder = write_enhanced(tmp_path / "m" / "a.dcm", slices(noise()), **PATIENT)
    out, _ = written(folder, tmp_path / "x.dcm", kind != "labels")
    done = subprocess.run(
        ["dciodvfy", out], capture_output=True, text=True, check=False, encoding="latin-1"
    )
    assert "Error" not in done.stderr, done.stderr
    assert "Segmentation" in done.stderr


def test_volumes_that_are_not_dicom_are_refused_by_name(tmp_path: Path) -> None:
    volume = Volume(np.zeros((2, 2, 2), np.uint8), Geometry.from_spacing((2, 2, 2), (1, 1, 1)))
    volume.write(tmp_path / "a.nii.gz")
    with pytest.raises(OutputError, match=r"x\.dcm would be DICOM SEG, .* write \.seg\.nrrd"):
        read_source(tmp_path / "x.dcm", tmp_path / "a.nii.gz")


def test_images_without_what_a_reference_needs_are_refused_by_name(tmp_path: Path) -> None:
    write_files(tmp_path / "ct", slices(noise()), FrameOfReferenceUID="")
    with pytest.raises(OutputError, match="has no FrameOfReferenceUID"):
        read_source(tmp_path / "x.dcm", tmp_path / "ct")


def test_a_segmentation_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    folder = series(tmp_path)
    source = read_source(tmp_path / "x.dcm", folder)
    given = overlapping(source.geometry)
    with pytest.raises(MaskError, match="would be fractional, and 'liver' has no probabilities"):
        write_dicom_seg(given, tmp_path / "x.dcm", source, ALGORITHM, fractional=True)
    with pytest.raises(MaskError, match="needs one"):
        write_dicom_seg(replace(given, segments=()), tmp_path / "x.dcm", source, ALGORITHM)
    assert not (tmp_path / "x.dcm").exists()


def test_a_segmentation_that_was_cut_short_is_refused_by_name(tmp_path: Path) -> None:
    out, _ = written(series(tmp_path), tmp_path / "x.dcm")
    content = out.read_bytes()
    for size in (len(content) // 2, len(content) - 20):
        out.write_bytes(content[:size])
        with pytest.raises(VolumeError, match=r"x\.dcm"):
            Segmentation.read(out)
