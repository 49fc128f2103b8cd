"""nnInteractive against the package's own session, with random weights and the same prompts.

Masks are compared voxel by voxel, without any tolerance: both run the same session.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from forged_checkpoints import PROTOCOL, STOP, archive, called, named
from nnInteractive.inference.inference_session import nnInteractiveInferenceSession
from nninteractive_folders import PATCH_TO_ZOOM, write_folder
from sample_volumes import make_blob

from MedSegFMLib import (
    Box,
    Geometry,
    Lasso,
    Mask,
    Point,
    Scribble,
    Session,
    Volume,
    create,
)
from MedSegFMLib.errors import ModelError, PromptError, VolumeError, WeightsError
from MedSegFMLib.models.nninteractive.interactions import flat_boxes
from MedSegFMLib.models.nninteractive.segmenter import NnInteractiveSegmenter
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.types import Prompt
from MedSegFMLib.volumes.region import Region

pytestmark = pytest.mark.usefixtures("one_thread")

SHAPE = (14, 26, 24)
Own = Callable[[Volume], nnInteractiveInferenceSession]


@pytest.fixture(scope="module")
def volume() -> Volume:
    return make_blob(Geometry.from_spacing(SHAPE, (0.9, 0.9, 2.1), origin_ras=(5, -6, 70)))[0]


@pytest.fixture(scope="module")
def model(nninteractive_folder: Path) -> NnInteractiveSegmenter:
    made = create("nninteractive", "cpu", weights=nninteractive_folder, autozoom="no")
    assert isinstance(made, NnInteractiveSegmenter)
    return made


def upstreams(folder: Path, volume: Volume, autozoom: bool = False) -> Any:
    """The package's own session, loaded by the package itself."""
    with redirect_stdout(io.StringIO()):
        session = nnInteractiveInferenceSession(
            device=torch.device("cpu"), torch_n_threads=1, do_autozoom=autozoom
        )
        session.initialize_from_trained_model_folder(str(folder))
        session.set_image(volume.array_kji[None])
        session.set_target_buffer(np.zeros(volume.geometry.shape_kji, np.uint8))
    return session


def answered(model: NnInteractiveSegmenter, volume: Volume, prompts: list[Prompt]) -> np.ndarray:
    """The mask after all prompts, through a session of ours, prompt by prompt."""
    session = Session(model, volume)
    label = session.add_object()
    for prompt in prompts:
        session.add(prompt, label)
    return session.predict(label).mask.array_kji > 0


def stroke(geometry: Geometry, voxels: list[tuple[int, int, int]]) -> tuple[Any, ...]:
    return tuple(map(tuple, geometry.ras_from_ijk(voxels).tolist()))


def differing(mine: np.ndarray, theirs: np.ndarray) -> int:
    return int((mine != (theirs > 0)).sum())


def test_every_kind_of_prompt_gives_the_mask_of_the_packages_own_session(
    model: NnInteractiveSegmenter, nninteractive_folder: Path, volume: Volume
) -> None:
    geometry = volume.geometry
    theirs = upstreams(nninteractive_folder, volume)
    ours = Session(model, volume)
    label = ours.add_object()
    buffer = theirs.target_buffer
    marked = np.zeros(SHAPE, bool)

    def same_after(prompt: Prompt) -> None:
        ours.add(prompt, label)
        mine = ours.predict(label).mask.array_kji > 0
        # A marked voxel has the label of its mark, which a session does not promise.
        assert differing(mine[~marked], buffer[~marked]) == 0
        assert buffer.any() and not buffer.all()

    with redirect_stdout(io.StringIO()):
        theirs.add_point_interaction((6, 10, 12), True)
    marked[6, 10, 12] = True
    same_after(Point.from_ijk(geometry, (12, 10, 6)))

    with redirect_stdout(io.StringIO()):
        theirs.add_point_interaction((2, 3, 4), False)
    marked[2, 3, 4] = True
    same_after(Point.from_ijk(geometry, (4, 3, 2), positive=False))

    # Along i in slice 7, two voxels wide as the weights prefer.
    with redirect_stdout(io.StringIO()):
        drawn = np.ones((1, 2, 7), np.uint8)
        theirs.add_scribble_interaction(drawn, True, interaction_bbox=[[7, 8], [15, 17], [8, 15]])
    marked[7, 15, 8:14] = True
    same_after(Scribble(stroke(geometry, [(8, 15, 7), (13, 15, 7)])))

    with redirect_stdout(io.StringIO()):
        drawn = np.ones((1, 4, 5), np.uint8)
        theirs.add_lasso_interaction(drawn, False, interaction_bbox=[[9, 10], [4, 8], [3, 8]])
    marked[9, 4:8, 3:8] = True
    corners = [(2.5, 3.5, 9), (7.5, 3.5, 9), (7.5, 7.5, 9), (2.5, 7.5, 9)]
    same_after(Lasso(stroke(geometry, corners), positive=False))

    # Of a box every slice, the middle one last.
    with redirect_stdout(io.StringIO()):
        for k in (4, 5, 9, 6, 8, 7):
            theirs.add_bbox_interaction([[k, k + 1], [4, 22], [5, 19]], True, run_prediction=k == 7)
    same_after(Box.from_ijk(geometry, (5, 4, 4), (19, 22, 10)))

    with redirect_stdout(io.StringIO()):
        theirs.add_bbox_interaction([[4, 5], [4, 22], [5, 19]], True)
    same_after(Box.from_ijk(geometry, (5, 4, 4), (19, 22, 5)))


def test_a_state_that_is_made_again_is_the_same(
    model: NnInteractiveSegmenter, volume: Volume
) -> None:
    geometry = volume.geometry
    first = [Box.from_ijk(geometry, (5, 4, 4), (19, 22, 10)), Point.from_ijk(geometry, (12, 10, 6))]
    later = [Point.from_ijk(geometry, (3, 3, 3), positive=False)]
    whole = answered(model, volume, [*first, *later])
    session = Session(model, volume)
    one = session.add_object()
    for prompt in first:
        session.add(prompt, one)
    session.predict(one)
    # Something else takes the session's place, and a prompt is undone.
    answered(
        model,
        make_blob(Geometry.from_spacing((9, 20, 20), (1, 1, 1)))[0],
        [Point((10.0, 10.0, 4.0))],
    )
    session.add(Point.from_ijk(geometry, (20, 20, 9)), one)
    session.predict(one)
    session.undo()
    session.add(later[0], one)
    assert np.array_equal(session.predict(one).mask.array_kji > 0, whole)


def test_without_a_previous_answer_all_prompts_are_gone_through(
    model: NnInteractiveSegmenter, volume: Volume
) -> None:
    prompts = [
        Point.from_ijk(volume.geometry, (3, 3, 3), positive=False),
        Point.from_ijk(volume.geometry, (12, 10, 6)),
        Point.from_ijk(volume.geometry, (20, 20, 9), positive=False),
    ]
    encoding = model.encode(volume, None, no_progress)
    at_once = model.predict(encoding, prompts, None, no_progress)
    before = model.predict(encoding, prompts[:2], None, no_progress)
    stepwise = model.predict(encoding, prompts, before, no_progress)
    assert np.array_equal(at_once.mask.array_kji, stepwise.mask.array_kji)


def test_a_mask_is_the_initial_one_of_the_packages_session(
    model: NnInteractiveSegmenter, nninteractive_folder: Path, volume: Volume
) -> None:
    inside = np.zeros(SHAPE, bool)
    inside[4:9, 6:15, 8:14] = True
    theirs = upstreams(nninteractive_folder, volume)
    with redirect_stdout(io.StringIO()):
        theirs.add_initial_seg_interaction(inside.astype(np.uint8))
        theirs.add_point_interaction((7, 12, 16), True)
    prompts = [
        Mask.from_array(inside, volume.geometry),
        Point.from_ijk(volume.geometry, (16, 12, 7)),
    ]
    encoding = model.encode(volume, None, no_progress)
    alone = model.predict(encoding, prompts[:1], None, no_progress)
    assert np.array_equal(alone.mask.array_kji > 0, inside)
    mine = model.predict(encoding, prompts, alone, no_progress).mask.array_kji > 0
    mine[7, 12, 16] = theirs.target_buffer[7, 12, 16] > 0
    assert differing(mine, theirs.target_buffer) == 0


def test_the_session_zooms_as_the_packages_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "zooming", patch=PATCH_TO_ZOOM)
    # Once instead of four times, which takes long without a GPU.
    monkeypatch.setattr(nnInteractiveInferenceSession, "MAX_AUTOZOOM_FACTOR", 1.3)
    volume = make_blob(Geometry.from_spacing((16, 70, 20), (1, 1, 1)))[0]
    theirs = upstreams(folder, volume, autozoom=True)
    state = np.random.get_state()
    said = io.StringIO()
    with redirect_stdout(said):
        np.random.seed(0)
        theirs.add_point_interaction((8, 30, 10), True)
    np.random.set_state(state)
    assert "refining the segmentation" in said.getvalue()
    model = create("nninteractive", "cpu", weights=folder)
    mine = answered(model, volume, [Point.from_ijk(volume.geometry, (10, 30, 8))])
    mine[8, 30, 10] = theirs.target_buffer[8, 30, 10] > 0
    assert differing(mine, theirs.target_buffer) == 0
    after = np.random.get_state()
    assert all(np.array_equal(a, b) for a, b in zip(state, after, strict=True))


def test_large_volumes_are_stored_compressed_with_the_same_masks(
    model: NnInteractiveSegmenter, volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [
        Point.from_ijk(volume.geometry, (12, 10, 6)),
        Point.from_ijk(volume.geometry, (4, 3, 2)),
    ]
    dense = answered(model, volume, prompts)
    monkeypatch.setattr(nnInteractiveInferenceSession, "AUTO_TENSOR_MAX_VOXELS", 1000)
    again = volume.with_array(volume.array_kji.copy())
    assert np.array_equal(answered(model, again, prompts), dense)
    assert type(model._live.session.interactions).__name__ == "NDArray"


def test_a_box_may_be_given_as_three_planes(nninteractive_folder: Path, volume: Volume) -> None:
    theirs = upstreams(nninteractive_folder, volume)
    planes = (
        [[4, 10], [13, 14], [5, 19]],
        [[4, 10], [4, 22], [12, 13]],
        # The one across its shortest side last.
        [[7, 8], [4, 22], [5, 19]],
    )
    with redirect_stdout(io.StringIO()):
        for number, plane in enumerate(planes):
            theirs.add_bbox_interaction(plane, True, run_prediction=number == 2)
    model = create("nninteractive", "cpu", weights=nninteractive_folder, box="planes", autozoom=0)
    box = Box.from_ijk(volume.geometry, (5, 4, 4), (19, 22, 10))
    assert differing(answered(model, volume, [box]), theirs.target_buffer) == 0


def test_a_box_becomes_flat_boxes() -> None:
    region = Region((2, 4, 6), (9, 30, 20))
    third = flat_boxes(region, 3)
    assert [box.start_kji[0] for box in third] == [2, 8, 5]
    assert all(box.shape_kji == (1, 26, 14) for box in third)
    assert flat_boxes(third[0], 3) == [third[0]] == flat_boxes(third[0], 0)
    assert len(flat_boxes(region, 1)) == 7
    planes = flat_boxes(region, 0)
    assert [box.shape_kji for box in planes] == [(7, 1, 14), (7, 26, 1), (1, 26, 14)]


def test_weights_that_know_3d_boxes_get_them(tmp_path: Path, volume: Volume) -> None:
    about = {"supported_interactions": {"bbox3d": True, "lasso": False}, "point_radius": 3}
    folder = write_folder(tmp_path / "boxes", about_prompts=about)
    theirs = upstreams(folder, volume)
    with redirect_stdout(io.StringIO()):
        theirs.add_bbox_interaction([[4, 10], [4, 22], [5, 19]], True)
    model = create("nninteractive", "cpu", weights=folder, autozoom="no")
    box = Box.from_ijk(volume.geometry, (5, 4, 4), (19, 22, 10))
    assert differing(answered(model, volume, [box]), theirs.target_buffer) == 0
    lasso = Lasso(stroke(volume.geometry, [(3, 3, 9), (8, 3, 9), (8, 8, 9)]))
    with pytest.raises(PromptError, match="do not support lasso prompts; they support scribble"):
        answered(model, volume, [lasso])


def test_nothing_is_printed(
    nninteractive_folder: Path, volume: Volume, capfd: pytest.CaptureFixture[str]
) -> None:
    model = create("nninteractive", "cpu", weights=nninteractive_folder, autozoom="no")
    answered(model, volume, [Point.from_ijk(volume.geometry, (12, 10, 6))])
    assert capfd.readouterr() == ("", "")


def test_a_volume_without_contrast_is_refused_in_one_sentence(
    model: NnInteractiveSegmenter, volume: Volume
) -> None:
    flat = np.zeros(SHAPE, np.int16)
    flat[3:6, 4:8, 5:9] = 7
    with pytest.raises(VolumeError, match="not 0 have the value 7"):
        model.encode(volume.with_array(flat), None, no_progress)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"box": "cubes"}, "box is 'cubes'; give planes"),
        ({"box": 0}, "box is '0'; give planes"),
        ({"autozoom": "maybe"}, "autozoom is 'maybe'"),
        ({"key": "secret"}, "without a server"),
    ],
)
def test_options_are_checked(
    nninteractive_folder: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(ModelError, match=said):
        create("nninteractive", "cpu", weights=nninteractive_folder, **options)


def test_without_weights_one_sentence_says_how_to_get_them_and_their_licence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path))
    with pytest.raises(WeightsError) as caught:
        create("nninteractive", "cpu")
    text = str(caught.value)
    assert "CC BY-NC-SA 4.0" in text and "medsegfm weights fetch nninteractive" in text
    assert text.count(". ") == 0


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield write_folder(tmp_path / "own")


def test_a_folder_of_another_network_is_refused(folder: Path, tmp_path: Path) -> None:
    other = write_folder(tmp_path / "other", trainer_name="nnUNetTrainer")
    with pytest.raises(WeightsError, match="'nnUNetTrainer', which is not one of nnInteractive"):
        create("nninteractive", "cpu", weights=other)
    (folder / "inference_session_class.json").unlink()
    with pytest.raises(WeightsError, match=r"has no inference_\*.json; give the published folder"):
        create("nninteractive", "cpu", weights=folder)


def test_a_checkpoint_that_would_run_code_is_never_loaded(folder: Path) -> None:
    ran = folder / "ran"
    code = called(named("builtins", "open"), str(ran), "w")
    (folder / "fold_0" / "checkpoint_final.pth").write_bytes(archive(PROTOCOL + code.code + STOP))
    with pytest.raises(WeightsError):
        create("nninteractive", "cpu", weights=folder)
    assert not ran.exists()
