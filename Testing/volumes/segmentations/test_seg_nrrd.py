"""Segments in .seg.nrrd files come back as they were, overlaps included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from segmentation_samples import assert_same, overlapping

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.errors import MaskError, VolumeError
from MedSegFMLib.volumes.segmentations.meanings import TISSUE, meaning_of
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation, layers_of


def test_segments_that_overlap_come_back_in_every_orientation(
    geometry: Geometry, tmp_path: Path
) -> None:
    given = overlapping(geometry, '{"a": "b\\n"}\nä' + "x" * 1_200_000)
    given.write(tmp_path / "A.SEG.NRRD".lower())
    found = Segmentation.read(tmp_path / "a.seg.nrrd")
    assert_same(found, given)
    assert found.ledger == given.ledger


def test_segments_share_a_layer_unless_they_overlap() -> None:
    liver, tumour, kidney, empty = overlapping(
        Geometry.from_spacing((6, 8, 10), (1, 1, 2))
    ).segments
    assert layers_of([liver, tumour, kidney, empty]) == [[liver, kidney, empty], [tumour]]


def test_without_overlap_the_file_is_a_label_map_for_any_reader(tmp_path: Path) -> None:
    labels = np.zeros((4, 5, 6), np.uint8)
    labels[1:3, 2, 3], labels[3, 4, 5] = 7, 9
    volume = Volume(labels, Geometry.from_spacing((4, 5, 6), (1, 1, 2)))
    volume.write(tmp_path / "a.seg.nrrd", {7: "spleen"})
    assert np.array_equal(Volume.read(tmp_path / "a.seg.nrrd").array_kji, labels)
    found = Segmentation.read(tmp_path / "a.seg.nrrd")
    assert [(s.label, s.name, s.voxels) for s in found.segments] == [
        (7, "spleen", 2),
        (9, "Segment_9", 1),
    ]


def test_files_of_slicer_before_4_11_have_a_layer_for_each_segment(tmp_path: Path) -> None:
    overlapping(Geometry.from_spacing((6, 8, 10), (1, 1, 2))).write(tmp_path / "a.seg.nrrd")
    head, _, voxels = (tmp_path / "a.seg.nrrd").read_bytes().partition(b"\n\n")
    kept = [x for x in head.split(b"\n") if b"_LabelValue" not in x and b"_Layer" not in x]
    kept = [x for x in kept if not x.startswith((b"Segment2", b"Segment3"))]
    (tmp_path / "old.seg.nrrd").write_bytes(b"\n".join(kept) + b"\n\n" + voxels)
    with pytest.raises(MaskError):
        Segmentation.read(tmp_path / "old.seg.nrrd").segment("kidney")
    found = Segmentation.read(tmp_path / "old.seg.nrrd")
    assert [s.name for s in found.segments] == ["liver", "tumour"]
    assert [s.label for s in found.segments] == [1, 2]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (b"Segment1_Layer:=1", b"Segment1_Layer:=2", "Segment1_Layer is 2 of 2 layers"),
        (b"Segment1_LabelValue:=2", b"Segment1_LabelValue:=-2", "Segment1_LabelValue is '-2'"),
        (b"Segment1_Layer:=1", b"Segment1_Layer:=one", "Segment1_Layer is 'one'"),
    ],
)
def test_a_damaged_description_is_refused_by_name(
    before: bytes, after: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.seg.nrrd"
    overlapping(Geometry.from_spacing((6, 8, 10), (1, 1, 2))).write(path)
    content = path.read_bytes()
    assert content.count(before + b"\n") == 1
    path.write_bytes(content.replace(before + b"\n", after + b"\n"))
    with pytest.raises(VolumeError, match=said) as raised:
        Segmentation.read(path)
    assert str(path) in str(raised.value)


def test_a_label_map_cannot_hold_an_overlap_and_nothing_is_written(tmp_path: Path) -> None:
    given = overlapping(Geometry.from_spacing((6, 8, 10), (1, 1, 2)))
    with pytest.raises(MaskError, match=r"'liver' and 'tumour' cannot overlap .* in 32 voxels"):
        given.write(tmp_path / "a.nii.gz")
    assert list(tmp_path.iterdir()) == []
    given.labelmap().write(tmp_path / "a.nii.gz")
    assert (Volume.read(tmp_path / "a.nii.gz").array_kji == 2).sum() == 32


def test_a_segment_is_chosen_by_name_then_by_label() -> None:
    given = overlapping(Geometry.from_spacing((6, 8, 10), (1, 1, 2)))
    assert given.segment("LIVER").label == given.segment("1").label == given.segment(1).label == 1
    with pytest.raises(MaskError, match="no segment 'spleen'; the segments are 1 liver, 2 tumour"):
        given.segment("spleen")


@pytest.mark.parametrize(
    ("value", "way"),
    [
        (0.5, "threshold probabilities first"),
        (-1024, "an image is no label map"),
        (80.5, "an image is no label map"),
    ],
)
def test_values_that_are_no_labels_are_refused(value: float, way: str) -> None:
    volume = Volume(np.full((2, 2, 2), value), Geometry.from_spacing((2, 2, 2), (1, 1, 1)))
    with pytest.raises(MaskError, match=f"values from {value:g} to {value:g}; whole.*: {way}"):
        Segmentation.from_labelmap(volume)


@pytest.mark.parametrize(
    ("name", "entry"),
    [
        ("liver", "SCT^10200004^Liver~^^~"),
        ("Left_Kidney 2", "SCT^64033007^Kidney~SCT^7771000^Left~"),
        ("kidney right", "SCT^64033007^Kidney~SCT^24028007^Right~"),
        ("Tumour", "SCT^4147007^Mass~^^~"),
        ("left liver", TISSUE.entry),
        ("something else", TISSUE.entry),
        ("", TISSUE.entry),
    ],
)
def test_a_name_gives_its_codes(name: str, entry: str) -> None:
    assert entry in meaning_of(name)[0].entry
