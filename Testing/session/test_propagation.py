"""Objects of one frame are followed through all frames of a 4D volume."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import refused, run
from dicom_files import slices, write_files

from MedSegFMLib import Box, Frames, Geometry, Volume, create, propagate
from MedSegFMLib.errors import PromptError, VolumeError
from MedSegFMLib.metrics import dice
from MedSegFMLib.prompts.prompt_list import PromptList
from MedSegFMLib.results.ledger import sidecar_of
from MedSegFMLib.session.motion import moved, shift_of
from MedSegFMLib.volumes.io.four_d import write_frames

GRID = Geometry.from_spacing((12, 32, 36), (1.0, 1.0, 2.0))
START = 1


def moving_ball(count: int = 4) -> tuple[list[Volume], list[np.ndarray]]:
    """Frames with a bright ball that moves by three columns and two rows, and its masks."""
    rng = np.random.default_rng(0)
    frames, masks = [], []
    k, j, i = np.indices(GRID.shape_kji)
    for n in range(count):
        squares = (2.0 * (k - 6)) ** 2 + (j - 10 - 2 * n) ** 2 + (i - 10 - 3 * n) ** 2
        masks.append(squares <= 6**2)
        voxels = 300 * masks[-1] + rng.normal(0, 40, GRID.shape_kji)
        frames.append(Volume(voxels.astype(np.int16), GRID))
    return frames, masks


def box_of(mask: np.ndarray) -> Box:
    inside = np.argwhere(mask)[:, ::-1]
    return Box.from_ijk(GRID, inside.min(axis=0), inside.max(axis=0) + 1)


def followed(frames: Any, masks: list[np.ndarray], model: str) -> list[np.ndarray]:
    prompts = PromptList().with_object("ball").added(1, box_of(masks[START]))
    results = propagate(create(model, "cpu"), frames, START, prompts)
    return [result.labelmap().array_kji == 1 for result in results]


@pytest.mark.parametrize(("model", "least"), [("ensam", 0.85), ("randomwalk", 0.75)])
def test_a_moving_ball_is_followed_forwards_and_backwards(model: str, least: float) -> None:
    frames, masks = moving_ball()
    found = followed(frames, masks, model)
    for n, mask in enumerate(masks):
        assert dice(mask, found[n]) > least
        if n != START:
            assert dice(mask, found[n]) > dice(mask, found[START]) + 0.1


def test_an_object_that_a_frame_lacks_is_found_again_behind_it() -> None:
    frames, masks = moving_ball()
    masks[2] = masks[START]
    noise = np.random.default_rng(1).normal(0, 40, GRID.shape_kji)
    frames[2] = Volume(noise.astype(np.int16), GRID)
    assert dice(masks[3], followed(frames, masks, "ensam")[3]) > 0.7


def test_two_objects_keep_their_labels_and_never_overlap() -> None:
    frames, masks = moving_ball()
    still = np.zeros(GRID.shape_kji, bool)
    still[2:5, 24:30, 2:8] = True
    frames = [f.with_array(np.where(still, 300, f.array_kji).astype(np.int16)) for f in frames]
    prompts = PromptList().with_object("ball").with_object("cube")
    prompts = prompts.added(1, box_of(masks[START])).added(2, box_of(still))
    results = propagate(create("randomwalk"), frames, START, prompts)
    for result, mask in zip(results, masks, strict=True):
        assert not result.overlaps()
        assert dice(mask, result.segment("ball").on(GRID)) > 0.7
        assert dice(still, result.segment("cube").on(GRID)) > 0.7


def test_the_shift_of_an_object_is_found_to_the_voxel(geometry: Geometry) -> None:
    shape = geometry.shape_kji
    rng = np.random.default_rng(0)
    before = rng.normal(0, 1, shape)
    mask = np.zeros(shape, bool)
    mask[tuple(slice(n // 3, 2 * n // 3) for n in shape)] = True
    shift = (1, -2, 2)
    after = np.roll(before, shift, (0, 1, 2)) + rng.normal(0, 0.1, shape)
    assert shift_of(before, after, mask) == shift
    assert shift_of(before, before, mask) == (0, 0, 0)
    assert shift_of(before, rng.normal(0, 1, shape), mask) is None
    assert shift_of(np.ones(shape), np.ones(shape), mask) is None
    assert shift_of(before, after, np.zeros(shape, bool)) is None
    there = moved(mask, shift)
    assert there.sum() == mask.sum()
    assert np.array_equal(np.argwhere(there) - np.argwhere(mask), np.tile(shift, (mask.sum(), 1)))


@pytest.fixture(params=["cine.nii.gz", "cine.nrrd", "cine.mha", "dicom"])
def cine(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The moving ball as a 4D file or series."""
    frames, _ = moving_ball()
    path = tmp_path / "in" / str(request.param)
    path.parent.mkdir()
    if request.param != "dicom":
        write_frames(frames, path)
        return path
    stored = [
        one
        for n, frame in enumerate(frames, 1)
        for one in slices(
            frame.array_kji,
            step=(0, 0, 2.0),
            spacing=(1.0, 1.0),
            extra={"TemporalPositionIdentifier": n},
        )
    ]
    write_files(path, stored, modality="MR", PatientID="4711")
    return path


def test_frames_are_read_one_by_one(cine: Path) -> None:
    frames, _ = moving_ball()
    read = Frames(cine)
    assert len(read) == len(frames)
    for n, frame in enumerate(frames):
        assert np.array_equal(read[n].array_kji, frame.array_kji)
        assert read[n].geometry == read[0].geometry
    with pytest.raises(IndexError):
        read[len(frames)]


def test_the_command_writes_a_4d_mask_on_the_same_grid_and_replays_it(
    cine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, masks = moving_ball()
    inside = np.argwhere(masks[START])[:, ::-1]
    box = [*inside.min(axis=0), *(inside.max(axis=0) + 1)]
    out = tmp_path / ("m.nrrd" if cine.suffix == ".nrrd" else "m.nii.gz")
    words = ["segment", cine, "--propagate", "--frame", START + 1, "--model", "randomwalk"]
    assert run(*words, "--box", *box, "--out", out) == 0
    said = capsys.readouterr()
    assert "4 of 4" in said.out and "set aside" not in said.err
    written, source = Frames(out), Frames(cine)
    assert len(written) == len(source)
    assert written[0].geometry.matches(source[0].geometry)
    assert all(dice(mask, written[n].array_kji == 1) > 0.75 for n, mask in enumerate(masks))
    ledger = sidecar_of(out).read_text()
    assert '"propagated": true' in ledger and "4711" not in ledger and "Doe" not in ledger
    assert run("measure", out, cine, "--frame", 2) == 0
    assert "(ml)" in capsys.readouterr().out
    assert run("replay", out, cine) == 0
    assert "is the same, voxel by voxel" in capsys.readouterr().out
    if cine.is_file():
        out.replace(cine.parent / out.name)
        sidecar_of(out).replace(sidecar_of(cine.parent / out.name))
        assert run("replay", cine.parent / out.name) == 0
    else:
        changed = [written[n] for n in range(len(written))]
        changed[0] = changed[0].with_array(np.zeros_like(changed[0].array_kji))
        write_frames(changed, out)
        assert "was changed after it was written" in refused(capsys, "replay", out, cine)


def test_what_cannot_be_followed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, masks = moving_ball(2)
    cine = tmp_path / "cine.nii.gz"
    write_frames(frames, cine)
    frames[0].write(tmp_path / "one.nii.gz")
    words = ["--propagate", "--model", "randomwalk", "--box", 4, 4, 3, 16, 16, 9, "--out"]
    for ending in ("x.seg.nrrd", "x.dcm", "x.png"):
        said = refused(capsys, "segment", cine, *words, tmp_path / ending)
        assert "cannot hold the masks of all frames" in said
    said = refused(capsys, "segment", tmp_path / "one.nii.gz", *words, tmp_path / "x.nii.gz")
    assert "contains one volume and no other frames" in said
    said = refused(capsys, "segment", cine, "--frame", 3, *words, tmp_path / "x.nii.gz")
    assert "no frame 3" in said
    more = ["--preview", tmp_path / "p.png"]
    said = refused(capsys, "segment", cine, *words, tmp_path / "x.nii.gz", *more)
    assert "--preview is for one frame" in said
    frames[1] = frames[1].with_array(np.zeros_like(frames[1].array_kji))
    prompts = PromptList().with_object("ball").added(1, box_of(masks[0]))
    with pytest.raises(VolumeError, match="Frame 2: Every voxel"):
        propagate(create("randomwalk"), frames, 0, prompts)


def test_a_model_without_masks_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    frames, masks = moving_ball(2)
    prompts = PromptList().with_object("ball").added(1, box_of(masks[0]))
    model = create("randomwalk")
    monkeypatch.setattr(model, "card", replace(model.card, prompts=("box", "point")))
    with pytest.raises(PromptError, match="takes no masks"):
        propagate(model, frames, 0, prompts)
