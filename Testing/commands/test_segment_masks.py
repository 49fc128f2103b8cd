"""`medsegfm segment` with existing segments: --mask, --avoid, --freeze and --freeze-slices."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from sample_volumes import make_blob

from MedSegFMLib import Geometry, Volume

SHAPE = (18, 22, 24)


@pytest.fixture
def ball(tmp_path: Path) -> tuple[Path, np.ndarray]:
    """A volume with a bright ball, and the ball."""
    (tmp_path / "in").mkdir()
    volume, inside = make_blob(Geometry.from_spacing(SHAPE, (0.9, 0.9, 2.1)))
    volume.write(tmp_path / "in" / "ball.nrrd")
    return tmp_path / "in" / "ball.nrrd", inside


def labels_file(
    ball: tuple[Path, np.ndarray], name: str = "labels.nrrd"
) -> tuple[Path, np.ndarray]:
    """The left part of the ball as label 2, a block beside it as label 5."""
    path, inside = ball
    labels = np.where(inside, 2, 0).astype(np.int16)
    labels[:, :, 12:] = 0
    labels[2:5, 2:5, 18:22] = 5
    Volume(labels, Volume.read(path).geometry).write(path.parent / name)
    return path.parent / name, labels


def segment(path: Path, out: Path, *words: object) -> np.ndarray:
    assert run("segment", path, "--model", "randomwalk", "--out", out, *words) == 0
    return Volume.read(out).array_kji


def test_a_mask_alone_comes_back_as_it_is(ball: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    given, labels = labels_file(ball)
    found = segment(ball[0], tmp_path / "o.nrrd", "--mask", f"{given}:2")
    assert np.array_equal(found > 0, labels == 2)


def test_a_click_completes_a_mask_and_saved_prompts_do_it_again(
    ball: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    given, labels = labels_file(ball)
    path, inside = ball
    k, j, i = (int(v) for v in np.argwhere(inside & (np.arange(24) == 14))[10])
    words = ["--mask", f"{given}:2", "--point", i, j, k, "--prompts-out", tmp_path / "p.json"]
    found = segment(path, tmp_path / "o.nrrd", *words)
    assert found[k, j, i] and found[labels == 2].all() and (found > 0).sum() > (labels == 2).sum()
    again = segment(path, tmp_path / "a.nrrd", "--prompts", tmp_path / "p.json")
    assert np.array_equal(again, found)


def test_masks_in_turn_are_objects_of_their_own(
    ball: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    given, labels = labels_file(ball)
    found = segment(ball[0], tmp_path / "o.nrrd", "--mask", f"{given}:2", "--mask", f"{given}:5")
    assert np.array_equal(found == 1, labels == 2) and np.array_equal(found == 2, labels == 5)


def test_no_object_overlaps_what_is_to_be_avoided(
    ball: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    given, labels = labels_file(ball)
    box = ["--box", 4, 4, 3, 20, 18, 15]
    both = segment(ball[0], tmp_path / "a.nrrd", *box, "--avoid", given)
    assert both.any() and not both[labels > 0].any()
    one = segment(ball[0], tmp_path / "b.nrrd", *box, "--avoid", f"{given}:5", "--avoid", given)
    assert np.array_equal(one, both)


def test_a_frozen_part_of_a_mask_stays(ball: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    given, labels = labels_file(ball)
    path, inside = ball
    k, j, i = (int(v) for v in np.argwhere(inside & (np.arange(24) == 14))[10])
    click = ["--point", i, j, k]
    for freeze in (["--freeze-slices", 0, k], ["--freeze", 0, 0, 0, 24, 22, k]):
        words = ["--mask", f"{given}:2", *freeze, *click]
        found = segment(path, tmp_path / "o.nrrd", *words)
        assert found[k, j, i]
        assert np.array_equal(found[:k] > 0, labels[:k] == 2)


def test_a_mask_on_another_grid_is_resampled_and_that_is_said(
    ball: tuple[Path, np.ndarray], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, inside = ball
    geometry = Volume.read(path).geometry
    finer = geometry.resampled([mm / 3 for mm in geometry.spacing_ijk_mm])
    mask = Volume(inside.astype(np.uint8), geometry)
    mask.resample(finer, order=0).write(path.parent / "finer.nrrd")
    found = segment(path, tmp_path / "o.nrrd", "--mask", path.parent / "finer.nrrd")
    assert np.array_equal(found > 0, inside)
    assert "A mask is on another grid than the volume" in capsys.readouterr().out
    mask.permute((2, 0, 1)).flip(1).write(path.parent / "turned.nrrd")
    found = segment(path, tmp_path / "t.nrrd", "--mask", path.parent / "turned.nrrd")
    assert np.array_equal(found > 0, inside)
    assert "another grid" not in capsys.readouterr().out


def test_a_file_whose_name_has_a_colon_is_that_file(
    ball: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    given, labels = labels_file(ball, "a:5.nrrd")
    found = segment(ball[0], tmp_path / "o.nrrd", "--mask", f"{given}:2")
    assert np.array_equal(found > 0, labels == 2)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--mask", "{labels}"], "labels 2, 5; choose one of them"),
        (["--mask", "{labels}:7"], "no label 7; it has the labels 2, 5"),
        (["--mask", "{labels}:2,7"], "no label 7"),
        (["--mask", "{folder}/none.nrrd:2"], "none.nrrd does not exist"),
        (["--mask", "{folder}/none.nrrd"], "none.nrrd does not exist"),
        (["--mask", "{volume}"], "ball.nrrd"),
        (["--mask", "{folder}/far.nrrd"], "outside the volume"),
        (["--mask", "{folder}/empty.nrrd"], "is empty"),
        (["--mask", "{folder}/soft.nrrd"], "contains 0.25"),
        (["--mask", "{folder}/all.nrrd"], "covers every voxel"),
        (["--avoid", "{labels}"], "no prompts"),
        (["--object", "a", "--avoid", "{labels}"], "'a' has no prompts"),
        (["--box", "4", "4", "3", "20", "18", "15", "--avoid", "{labels}:9"], "no label 9"),
        (["--freeze-slices", "0", "3"], "--freeze-slices keeps a part of a mask"),
        (["--mask", "{labels}:2", "--freeze-slices", "3", "3"], "inverted or empty"),
        (["--mask", "{labels}:2", "--freeze-slices", "3", "19"], "outside the volume"),
        (["--mask", "{labels}:2", "--freeze", "0", "0", "0", "9", "9", "99"], "outside"),
    ],
)
def test_what_is_no_mask_of_the_volume_is_refused_in_a_sentence(
    ball: tuple[Path, np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    said: str,
) -> None:
    given, _ = labels_file(ball)
    path, inside = ball
    folder, geometry = path.parent, Volume.read(path).geometry
    far = Geometry(SHAPE, np.eye(4) + np.array([[0, 0, 0, 900]] + [[0] * 4] * 3))
    for name, array, grid in (
        ("far", inside, far),
        ("empty", inside & False, geometry),
        ("soft", inside * 0.25, geometry),
        ("all", inside | True, geometry),
    ):
        typed = array.astype(np.float32 if name == "soft" else np.uint8)
        Volume(typed, grid).write(folder / f"{name}.nrrd")
    texts = [word.format(labels=given, folder=folder, volume=path) for word in words]
    line = refused(
        capsys, "segment", path, "--model", "randomwalk", "--out", tmp_path / "o.nrrd", *texts
    )
    assert said in line and not (tmp_path / "o.nrrd").exists()


def test_an_output_never_replaces_a_mask(
    ball: tuple[Path, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    given, _ = labels_file(ball)
    for words in (["--mask", f"{given}:2"], ["--avoid", given, "--box", 4, 4, 3, 20, 18, 15]):
        assert "is an input" in refused(capsys, "segment", ball[0], "--out", given, *words)
