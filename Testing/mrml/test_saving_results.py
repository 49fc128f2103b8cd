"""Results of a scene as files: what leaves Slicer is what is in it, with the way it was made."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from dicom_files import slices, write_files
from host.dicom_database import DicomDatabase
from sample_volumes import rotation
from scene_helpers import add_boxes, add_transform, add_volume_node, content
from waiting import wait_until

from MedSegFMLib import Box, Point, Volume
from MedSegFMLib.errors import MaskError, OutputError
from MedSegFMLib.mrml.results.saving import Saved, Saving
from MedSegFMLib.results.formats import ResultFormat, format_of, formats
from MedSegFMLib.results.ledger import parse_ledger
from MedSegFMLib.results.replay import read_result
from MedSegFMLib.volumes.segmentations.segmentation import Segmentation
from MedSegFMLib.volumes.segmentations.treatment import Treatment

SHAPE = (10, 20, 24)


def finished(saving: Saving) -> Saved:
    found: list[Saved] = []

    def ended() -> bool:
        end = saving.poll()
        found.extend([end] if end else [])
        return bool(found)

    wait_until(ended)
    return found[0]


def two_blocks(logic: Any, node: Any) -> list[int]:
    """Two objects whose boxes overlap, named liver and spleen."""
    logic.set_volume(node)
    geometry = logic.volume.geometry
    boxes = [
        Box.from_ijk(geometry, (3, 4, 2), (12, 11, 7)),
        Box.from_ijk(geometry, (9, 3, 2), (14, 9, 8)),
    ]
    labels = add_boxes(logic, boxes)
    logic.objects.rename(labels[0], "liver")
    logic.objects.rename(labels[1], "spleen")
    logic.pump()
    return labels


@pytest.fixture
def dicom(scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A CT series in Slicer's database, and its volume node with slices in Slicer's order."""
    import slicer

    array = np.random.default_rng(0).integers(0, 90, SHAPE).astype(np.int16)
    folder = tmp_path / "series"
    write_files(folder, slices(array, step=(0, 0, 3.0), spacing=(0.8, 0.8)))
    volume = Volume.read(folder)
    database = DicomDatabase(folder.iterdir())
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node = add_volume_node(scene, volume, "CT")
    node.SetAttribute("DICOM.instanceUIDs", " ".join(database.uids))
    return SimpleNamespace(node=node, volume=volume, database=database, folder=folder)


def test_a_segmentation_of_slicer_has_names_colours_voxels_and_a_ledger(
    logic: Any, plain: Any, tmp_path: Path
) -> None:
    labels = two_blocks(logic, plain)
    saving = Saving(logic)
    assert saving.start(format_of("segnrrd"), str(tmp_path / "out")) == Saved(
        tmp_path / "out.seg.nrrd"
    )
    result, ledger = read_result(tmp_path / "out.seg.nrrd")
    assert [segment.name for segment in result.segments] == ["liver", "spleen"]
    for label, segment in zip(labels, result.segments, strict=True):
        assert np.array_equal(
            Volume(segment.on(result.geometry), result.geometry)
            .resample(logic.volume.geometry, order=0)
            .array_kji
            > 0,
            content(logic, label),
        )
        shown = logic.segments.node.GetSegmentation().GetSegment(logic.segments.ids[label])
        assert np.allclose(segment.color_rgb, shown.GetColor(), atol=1e-3)
    assert result.segments[0].meaning is not None
    assert result.segments[0].meaning.kind.meaning == "Liver"
    assert ledger.model == logic.model and ledger.prompts == logic.prompts


def test_the_ledger_alone_is_json_without_anything_of_the_patients(
    logic: Any, scene: Any, dicom: SimpleNamespace, tmp_path: Path
) -> None:
    two_blocks(logic, dicom.node)
    Saving(logic).start(format_of("ledger"), str(tmp_path / "how.json"))
    text = (tmp_path / "how.json").read_text()
    assert parse_ledger(text, "how.json").prompts == logic.prompts
    assert "CT" not in text and str(dicom.folder) not in text and dicom.database.uids[0] not in text


@pytest.mark.parametrize("moved", [False, True])
@pytest.mark.parametrize("reversed_slices", [False, True])
def test_dicom_seg_lies_on_the_images_however_slicer_holds_them(
    logic: Any,
    scene: Any,
    dicom: SimpleNamespace,
    tmp_path: Path,
    moved: bool,
    reversed_slices: bool,
) -> None:
    node = dicom.node
    if reversed_slices:
        node = add_volume_node(scene, dicom.volume.flip(0), "CT")
        node.SetAttribute("DICOM.instanceUIDs", " ".join(dicom.database.uids[::-1]))
    if moved:
        turn = np.eye(4)
        turn[:3, :3], turn[:3, 3] = rotation(5, 8, -3), (4, 5, 6)
        node.SetAndObserveTransformNodeID(add_transform(scene, turn).GetID())
    labels = two_blocks(logic, node)
    saving = Saving(logic)
    assert saving.start(format_of("dicomseg"), str(tmp_path / "seg.dcm")) is None and saving.is_busy
    assert finished(saving) == Saved(tmp_path / "seg.dcm") and not saving.is_busy
    result = Segmentation.read(tmp_path / "seg.dcm")
    for label, segment in zip(labels, result.segments, strict=True):
        held = Volume(content(logic, label).astype(np.uint8), logic.volume.geometry).array_kji
        held = held[::-1] if reversed_slices else held
        found = Volume(segment.on(result.geometry).astype(np.uint8), result.geometry)
        assert np.array_equal(found.resample(dicom.volume.geometry, order=0).array_kji, held)
    assert parse_ledger(result.ledger, "seg").geometry.shape_kji == SHAPE
    assert not list(tmp_path.glob("*tmp*"))


def test_formats_that_refer_to_images_are_offered_only_for_a_volume_of_the_database(
    logic: Any, plain: Any, dicom: SimpleNamespace, tmp_path: Path
) -> None:
    saving = Saving(logic)
    keys = [item.key for item in formats()]
    logic.set_volume(dicom.node)
    assert [item.key for item in saving.offered()] == keys
    logic.set_volume(plain)
    assert [item.key for item in saving.offered()] == ["labelmap", "segnrrd", "ledger"]
    two_blocks(logic, plain)
    with pytest.raises(OutputError, match="load it from the DICOM module"):
        saving.start(format_of("dicomseg"), str(tmp_path / "x.dcm"))
    next(dicom.folder.iterdir()).unlink()
    logic.set_volume(dicom.node)
    assert "dicomseg" not in [item.key for item in Saving(logic).offered()]


def test_a_volume_that_is_not_on_the_grid_of_its_images_is_refused_by_name(
    logic: Any, scene: Any, dicom: SimpleNamespace, tmp_path: Path
) -> None:
    volume = dicom.volume
    coarse = volume.resample(volume.geometry.resampled((1.1, 1.1, 3.0)))
    node = add_volume_node(scene, coarse, "resampled")
    node.SetAttribute("DICOM.instanceUIDs", " ".join(dicom.database.uids))
    two_blocks(logic, node)
    saving = Saving(logic)
    saving.start(format_of("dicomseg"), str(tmp_path / "seg.dcm"))
    end = finished(saving)
    assert "not on their grid any more" in end.error and ".seg.nrrd" in end.error
    assert not (tmp_path / "seg.dcm").exists()


def test_saving_can_be_stopped_and_leaves_nothing(
    logic: Any, dicom: SimpleNamespace, tmp_path: Path
) -> None:
    two_blocks(logic, dicom.node)
    saving = Saving(logic)
    saving.start(format_of("dicomseg"), str(tmp_path / "out" / "seg.dcm"))
    with pytest.raises(OutputError, match="still being written"):
        saving.start(format_of("segnrrd"), str(tmp_path / "other"))
    saving.cancel()
    end = finished(saving)
    assert end.stopped and not end.error and not saving.is_busy
    assert not (tmp_path / "out").exists()


def test_a_damaged_image_is_named(logic: Any, dicom: SimpleNamespace, tmp_path: Path) -> None:
    two_blocks(logic, dicom.node)
    damaged = sorted(dicom.folder.iterdir())[3]
    damaged.write_bytes(damaged.read_bytes()[:300])
    saving = Saving(logic)
    saving.start(format_of("dicomseg"), str(tmp_path / "seg.dcm"))
    assert damaged.name in finished(saving).error


def test_a_treatment_is_undone_redone_and_told_in_the_ledger(
    logic: Any, plain: Any, tmp_path: Path
) -> None:
    logic.set_volume(plain)
    geometry = logic.volume.geometry
    logic.add(Box.from_ijk(geometry, (2, 2, 2), (9, 9, 8)))
    logic.add(Point.from_ijk(geometry, (14, 12, 10)))
    logic.pump()
    before = content(logic, 1)
    assert before[10, 12, 14]
    assert logic.objects.treat(Treatment(largest=True)) and logic.objects.treatment == Treatment(
        largest=True
    )
    after = content(logic, 1)
    assert not after[10, 12, 14] and (before & ~after).sum() == 1
    Saving(logic).start(format_of("segnrrd"), str(tmp_path / "s"))
    assert read_result(tmp_path / "s.seg.nrrd")[1].treatment == Treatment(largest=True)
    assert logic.undo() and np.array_equal(content(logic, 1), before)
    assert logic.objects.treatment.is_none
    assert logic.redo() and np.array_equal(content(logic, 1), after)
    assert not logic.objects.treat(Treatment(largest=True))
    logic.objects.set_locked(1, True)
    with pytest.raises(MaskError, match="locked"):
        logic.objects.treat(Treatment(fill_holes=True))


def test_a_treatment_takes_no_voxel_of_another_object(logic: Any, plain: Any) -> None:
    logic.set_volume(plain)
    geometry = logic.volume.geometry
    left = Box.from_ijk(geometry, (2, 2, 2), (8, 9, 8))
    first, second = add_boxes(logic, [left, Box.from_ijk(geometry, (8, 2, 2), (13, 9, 8))])
    logic.pump()
    other = content(logic, second)
    logic.objects.treat(Treatment(smooth_mm=2.0), first)
    assert np.array_equal(content(logic, second), other)
    assert not (content(logic, first) & other).any()


def test_without_a_segment_nothing_is_saved_or_treated(logic: Any, plain: Any) -> None:
    logic.set_volume(plain)
    with pytest.raises(MaskError, match="no segment to save"):
        Saving(logic).start(format_of("segnrrd"), "x")
    logic.objects.add("liver")
    with pytest.raises(MaskError, match="predict it first"):
        logic.objects.treat(Treatment(largest=True))


def test_a_new_format_joins_by_its_entry_in_the_list(
    logic: Any, plain: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = ResultFormat(
        "note",
        "Note",
        (".note",),
        lambda result, path: path.write_text(
            ", ".join(segment.name for segment in result.segmentation.segments)
        ),
    )
    monkeypatch.setattr("MedSegFMLib.mrml.results.saving.formats", lambda: (*formats(), entry))
    two_blocks(logic, plain)
    saving = Saving(logic)
    assert entry in saving.offered()
    saving.start(entry, str(tmp_path / "x"))
    assert (tmp_path / "x.note").read_text() == "liver, spleen"
