"""Multi-frame files, and several volumes in one series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dicom_files import noise, slices, write_enhanced, write_files
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import GeometryError, VolumeError

ARRAY, LATER = noise(), noise(seed=1)
_LPS = np.diag([-1, -1, 1, 1])
MIXED = (3, 0, 5, 1, 4, 2)


def check_right(volume: Volume, array: np.ndarray = ARRAY, shift: float = 0) -> None:
    matrix = np.eye(4)
    matrix[:3, 2], matrix[:3, 3] = (0, shift, 5), (-10, -20, 30)
    assert volume.geometry.matches(Geometry(array.shape, _LPS @ matrix), 1e-4)
    assert np.array_equal(volume.array_kji, array)


@pytest.mark.parametrize("modality", ["CT", "MR", "PT", "US"])
@pytest.mark.parametrize("in_folder", [False, True])
def test_frames_in_any_order_are_sorted_by_their_places(
    modality: str, in_folder: bool, tmp_path: Path
) -> None:
    series = [slices(ARRAY)[n] for n in MIXED]
    path = write_enhanced(tmp_path / "a.dcm", series, modality, SpacingBetweenSlices="-5")
    check_right(Volume.read(tmp_path if in_folder else path))


def test_a_stack_in_two_multi_frame_files_is_one_volume(tmp_path: Path) -> None:
    ids = {"SeriesInstanceUID": "1.2.3", "StudyInstanceUID": "1.2"}
    write_enhanced(tmp_path / "a.dcm", slices(ARRAY)[::2], **ids)
    write_enhanced(tmp_path / "b.dcm", slices(ARRAY)[1::2], **ids)
    check_right(Volume.read(tmp_path))


def test_a_missing_frame_is_refused_and_named_by_its_neighbours(tmp_path: Path) -> None:
    series = [one for k, one in enumerate(slices(ARRAY)) if k != 2]
    path = write_enhanced(tmp_path / "a.dcm", series)
    with pytest.raises(GeometryError, match=r"a\.dcm, frame 2 and .*frame 3 are 10 mm apart"):
        Volume.read(path)


def test_frames_of_a_tilted_gantry_are_sheared(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "a.dcm", slices(ARRAY, (0, 1.5, 5)))
    check_right(Volume.read(path), shift=1.5)


def test_every_frame_has_its_own_slope(tmp_path: Path) -> None:
    series = [one.changed(slope=0.01 * (k + 1), intercept=k) for k, one in enumerate(slices(ARRAY))]
    path = write_enhanced(tmp_path / "a.dcm", [series[n] for n in MIXED], "MR")
    check_right(Volume.read(path), np.stack([one.values for one in series]))


def test_values_of_all_frames_may_be_stated_once_outside_of_the_frames(tmp_path: Path) -> None:
    series = slices(ARRAY, slope=None, intercept=None)
    write_enhanced(tmp_path / "a.dcm", series, "MR", RescaleSlope="2.5", RescaleIntercept="1")
    check_right(Volume.read(tmp_path), ARRAY * 2.5 + 1)


def test_frames_missing_at_an_end_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    numbers = [{"FrameContentSequence": {"InStackPositionNumber": n}} for n in range(1, 7)]
    write_enhanced(tmp_path / "whole.dcm", slices(ARRAY), labels=numbers)
    Volume.read(tmp_path / "whole.dcm")
    assert caplog.text == ""
    write_enhanced(tmp_path / "a.dcm", slices(ARRAY)[1:], labels=numbers[1:])
    assert np.array_equal(Volume.read(tmp_path / "a.dcm").array_kji, ARRAY[1:])
    assert "states 6 slices and 5 are here" in caplog.text


def test_fewer_described_frames_than_stated_are_refused(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "a.dcm", slices(ARRAY))
    data = path.read_bytes()
    at = data.index(b"\x28\x00\x08\x00IS\x02\x006 ")
    path.write_bytes(data[: at + 8] + b"7 " + data[at + 10 :])
    with pytest.raises(VolumeError, match=r"a\.dcm states 7 frames and describes 6"):
        Volume.read(path)


def test_frames_without_places_are_refused(tmp_path: Path) -> None:
    path = write_enhanced(tmp_path / "a.dcm", slices(ARRAY), "MR")
    single = write_files(tmp_path / "b", slices(ARRAY[:1]), NumberOfFrames="2")
    with pytest.raises(VolumeError, match=r"000\.dcm has several frames without a place"):
        Volume.read(single[0])
    series = [one.changed(position=None) for one in slices(ARRAY)]
    with pytest.raises(VolumeError, match=r"a\.dcm, frame 1 states no ImagePositionPatient"):
        Volume.read(write_enhanced(path, series, "MR"))


ENHANCED_LABELS = {
    "time": ("FrameContentSequence", "TemporalPositionIndex", 1, 2),
    "echo": ("MREchoSequence", "EffectiveEchoTime", 4.5, 10.0),
    "b-value": ("MRDiffusionSequence", "DiffusionBValue", 0.0, 1000.0),
    "phase": ("CardiacSynchronizationSequence", "NominalCardiacTriggerDelayTime", 9.0, 100.0),
    "type": ("MRImageFrameTypeSequence", "ComplexImageComponent", "MAGNITUDE", "PHASE"),
}


@pytest.mark.parametrize("label", ENHANCED_LABELS)
def test_volumes_in_one_multi_frame_file_are_chosen_by_frame(label: str, tmp_path: Path) -> None:
    sequence, keyword, first, second = ENHANCED_LABELS[label]
    pairs = [(one, first) for one in slices(ARRAY)] + [(one, second) for one in slices(LATER)]
    np.random.default_rng(0).shuffle(pairs)  # type: ignore[arg-type]
    labels = [{sequence: {keyword: value}} for _, value in pairs]
    path = write_enhanced(tmp_path / "a.dcm", [one for one, _ in pairs], "MR", labels=labels)
    with pytest.raises(VolumeError, match=rf"2 images at each of 6 places .*{keyword}.*--frame 1"):
        Volume.read(path)
    check_right(Volume.read(path, frame=1))
    check_right(Volume.read(path, frame=2), LATER)
    for wrong in (0, 3):
        with pytest.raises(VolumeError, match=f"2 volumes and no frame {wrong}"):
            Volume.read(path, frame=wrong)


def test_volumes_that_only_the_index_of_a_dimension_distinguishes_are_chosen_by_it(
    tmp_path: Path,
) -> None:
    triples = [
        (one, place, time)
        for time, array in ((1, ARRAY), (2, LATER))
        for place, one in enumerate(slices(array), start=1)
    ]
    order = np.random.default_rng(0).permutation(len(triples))
    frames = [triples[n] for n in order]
    indices = []
    for pointer in (0x00209056, 0x00209057, 0x00209128):
        item = Dataset()
        item.DimensionIndexPointer = pointer
        indices.append(item)
    path = write_enhanced(
        tmp_path / "a.dcm",
        [one for one, _, _ in frames],
        "MR",
        labels=[
            {"FrameContentSequence": {"DimensionIndexValues": [1, place, time]}}
            for _, place, time in frames
        ],
        DimensionIndexSequence=Sequence(indices),
    )
    with pytest.raises(VolumeError, match="by DimensionIndexValues"):
        Volume.read(path)
    check_right(Volume.read(path, frame=1))
    check_right(Volume.read(path, frame=2), LATER)


LABELS: dict[str, tuple[object, object]] = {
    "TemporalPositionIdentifier": ("9", "10"),
    "EchoTime": ("9.5", "10.25"),
    "DiffusionBValue": (9.0, 1000.0),
    "AcquisitionNumber": ("1", "2"),
    "ImageType": (["ORIGINAL", "PRIMARY", "M"], ["ORIGINAL", "PRIMARY", "P"]),
    "FrameReferenceTime": ("9", "10"),
    "TriggerTime": ("9", "10"),
}


@pytest.mark.parametrize("keyword", LABELS)
def test_volumes_of_one_series_are_chosen_by_frame_in_the_order_of_numbers(
    keyword: str, tmp_path: Path
) -> None:
    first, second = LABELS[keyword]
    series = [
        *(one.changed(extra={keyword: second}) for one in slices(LATER)),
        *(one.changed(extra={keyword: first}) for one in slices(ARRAY)),
    ]
    write_files(tmp_path, series, "MR")
    with pytest.raises(VolumeError, match=f"2 images at each of 6 places .*by {keyword}"):
        Volume.read(tmp_path)
    check_right(Volume.read(tmp_path, frame=1))
    check_right(Volume.read(tmp_path, frame=2), LATER)


def test_phases_with_times_of_their_own_at_each_place_are_ranked(tmp_path: Path) -> None:
    series = [
        one.changed(extra={"TriggerTime": f"{time + k / 7:.4f}"})
        for array, time in ((ARRAY, 20.0), (LATER, 60.0))
        for k, one in enumerate(slices(array))
    ]
    write_files(tmp_path, series, "MR")
    check_right(Volume.read(tmp_path, frame=1))
    check_right(Volume.read(tmp_path, frame=2), LATER)


@pytest.mark.parametrize("by_place", [False, True])
def test_volumes_without_any_label_go_by_their_instance_numbers(
    by_place: bool, tmp_path: Path
) -> None:
    both = [*slices(ARRAY), *slices(LATER)]
    if by_place:
        both = [one for pair in zip(slices(ARRAY), slices(LATER), strict=True) for one in pair]
    write_files(tmp_path, both)
    with pytest.raises(VolumeError, match="by InstanceNumber"):
        Volume.read(tmp_path)
    check_right(Volume.read(tmp_path, frame=1))
    check_right(Volume.read(tmp_path, frame=2), LATER)


def test_a_few_images_of_another_echo_are_set_aside(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    series = [
        *(one.changed(extra={"EchoTime": "5"}) for one in slices(ARRAY)),
        *(one.changed(extra={"EchoTime": "9"}) for one in slices(LATER)[2:4]),
    ]
    write_files(tmp_path, series, "MR")
    check_right(Volume.read(tmp_path))
    assert "006.dcm (another EchoTime), 007.dcm (another EchoTime)" in caplog.text


def test_a_frame_with_a_missing_slice_is_refused_and_the_other_is_read(tmp_path: Path) -> None:
    series = [
        one.changed(extra={"EchoTime": echo})
        for array, echo in ((ARRAY, "5"), (LATER, "9"))
        for one in slices(array)
    ]
    del series[8]
    write_files(tmp_path, series, "MR")
    check_right(Volume.read(tmp_path, frame=1))
    with pytest.raises(GeometryError, match="a slice is missing"):
        Volume.read(tmp_path, frame=2)


def test_a_siemens_mosaic_is_refused_by_name(tmp_path: Path) -> None:
    kind = {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"]}
    write_files(tmp_path, [one.changed(extra=kind) for one in slices(ARRAY)], "MR")
    with pytest.raises(VolumeError, match=r"000\.dcm is a Siemens mosaic"):
        Volume.read(tmp_path)
