"""`medsegfm challenge`: which prompts of a file ask a model, and which scores follow from that."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from command_line import run

from MedSegFMLib import Volume
from MedSegFMLib.models import ellipsoid
from MedSegFMLib.registry import card
from MedSegFMLib.segmenter import Encoding, Prediction
from MedSegFMLib.volumes.region import Region

SHAPE = (8, 16, 16)
BOX = {"z_min": 1, "z_max": 4, "z_mid": 2}
BOX |= {"z_mid_y_min": 2, "z_mid_y_max": 7, "z_mid_x_min": 2, "z_mid_x_max": 7}
CLICKS = [{"fg": [[2, 4, 4]], "bg": []}]
TEXTS = {"1": "block", "instance_label": 1}


def labels_kji() -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:5, 2:8, 2:8] = 1
    return labels


def write(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    image = (labels_kji() * 100 + 20).astype(np.uint8)
    np.savez_compressed(path, imgs=image, spacing=np.array((1.0, 1.0, 1.0)), **arrays)
    return path


class AnswersOneVoxel:
    """A model of some kinds of prompts whose answer is one voxel of the object."""

    classes = ()

    def __init__(self, kinds: tuple[str, ...]) -> None:
        self.card = replace(card("ellipsoid"), prompts=kinds, title="Some model")

    def encode(self, volume: Volume, region: Any, progress: Any) -> Encoding:
        return Encoding(volume.geometry, Region.whole(SHAPE), 0)

    def predict(self, encoding: Encoding, prompts: Any, *rest: Any) -> Prediction:
        logits = np.full(SHAPE, -1, np.float32)
        logits[2, 4, 4] = 1
        return Prediction(encoding.geometry, (0, 0, 0), logits)


def use(monkeypatch: pytest.MonkeyPatch, *kinds: str) -> None:
    monkeypatch.setattr(ellipsoid, "create", lambda device="auto": AnswersOneVoxel(kinds))


def challenge(path: Path, out: Path, *words: Any) -> int:
    return run("challenge", path, out, "--model", "ellipsoid", *words)


@pytest.mark.parametrize(
    ("arrays", "kinds", "said"),
    [
        ({"boxes": [BOX]}, ("text",), "has only boxes, but Some model takes text;"),
        ({"boxes": [BOX], "clicks": CLICKS}, ("text",), "has only boxes and clicks, but"),
        ({"text_prompts": TEXTS}, ("box", "point"), "has only texts, but Some model takes box, po"),
        ({"clicks": CLICKS}, ("box",), "has only clicks, but"),
    ],
)
def test_a_file_whose_prompts_the_model_does_not_take_is_refused(
    arrays: dict[str, Any],
    kinds: tuple[str, ...],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, *kinds)
    assert challenge(write(tmp_path / "in/a.npz", **arrays), tmp_path / "out") == 1
    printed = capsys.readouterr()
    assert said in printed.err and "choose another --model" in printed.err
    assert "0 of 1 files were answered" in printed.out
    assert not (tmp_path / "out/a.npz").exists()


def test_a_file_whose_user_has_not_clicked_yet_has_an_empty_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, "point")
    path = write(tmp_path / "in/a.npz", clicks=[{"fg": [], "bg": []}])
    assert challenge(path, tmp_path / "out") == 0
    with np.load(tmp_path / "out/a.npz") as answer:
        assert not answer["segs"].any()


def scores_of(
    kinds: tuple[str, ...], instance: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """The scores if a file has boxes, clicks and texts, and the model takes some of them."""
    use(monkeypatch, *kinds)
    texts = {**TEXTS, "instance_label": instance}
    path = write(folder / "in/a.npz", boxes=[BOX], clicks=CLICKS, text_prompts=texts)
    (folder / "gts").mkdir()
    np.savez_compressed(folder / "gts/a.npz", gts=labels_kji())
    assert challenge(path, folder / "out", "--gts", folder / "gts") == 0
    with (folder / "out/metrics.csv").open() as file:
        (row,) = csv.DictReader(file)
    return row


@pytest.mark.parametrize("instance", [0, 1])
def test_what_was_asked_with_a_box_is_scored_so_though_the_file_has_texts(
    instance: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = scores_of(("box", "point", "text"), instance, tmp_path, monkeypatch)
    # A Dice of 2 / 145 is below 0.2, with which the challenge's surface Dice is 0.
    assert (row["F1"], float(row["NSD"])) == ("", 0) and 0 < float(row["DSC"]) < 0.02


def test_what_was_asked_with_text_alone_is_scored_as_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = scores_of(("text",), 0, tmp_path, monkeypatch)
    assert row["F1"] == "" and float(row["NSD"]) > 0
    (tmp_path / "i").mkdir()
    row = scores_of(("text",), 1, tmp_path / "i", monkeypatch)
    assert (row["DSC"], row["NSD"], float(row["F1"])) == ("", "", 0)


TWO = [*CLICKS, {"fg": [], "bg": []}]
BACKGROUND = {"fg": [], "bg": [[2, 9, 9]]}
TWO_TEXTS = {"1": "block", "2": "hole", "instance_label": 0}


@pytest.mark.parametrize(
    ("arrays", "kinds", "empty"),
    [
        ({"clicks": TWO}, ("point",), "label 2, because it has"),
        ({"clicks": TWO, "text_prompts": TWO_TEXTS}, ("point",), "hole, because it has"),
        ({"clicks": TWO[::-1] + TWO[1:]}, ("point",), "label 1, label 3, because they have"),
        ({"clicks": [*CLICKS, BACKGROUND]}, ("point",), "label 2, because it has"),
        ({"text_prompts": {"2": "hole"}, "gts": True}, ("text",), "label 1, because it has"),
    ],
)
def test_classes_that_stay_empty_beside_others_are_named(
    arrays: dict[str, Any],
    kinds: tuple[str, ...],
    empty: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, *kinds)
    if "gts" in arrays:
        arrays = {**arrays, "gts": labels_kji()}
    assert challenge(write(tmp_path / "in/a.npz", **arrays), tmp_path / "out") == 0
    printed = capsys.readouterr()
    takes = f"no prompt on the object that Some model takes ({kinds[0]});"
    assert f"Left empty: a.npz: {empty} {takes}" in printed.err
    assert "1 of 1 files were answered, 1 of them with classes left empty." in printed.out


@pytest.mark.parametrize(
    ("arrays", "kinds"),
    [
        ({"clicks": TWO, "text_prompts": TWO_TEXTS}, ("point", "text")),
        ({"boxes": [BOX], "clicks": TWO[1:]}, ("box", "point")),
        # One text asks for all instances.
        ({"text_prompts": TEXTS, "gts": labels_kji() * 2}, ("text",)),
    ],
)
def test_nothing_is_said_of_classes_that_another_prompt_asks_for(
    arrays: dict[str, Any],
    kinds: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, *kinds)
    assert challenge(write(tmp_path / "in/a.npz", **arrays), tmp_path / "out") == 0
    assert "empty" not in "".join(capsys.readouterr())


def test_a_file_in_which_only_background_is_marked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, "point")
    path = write(tmp_path / "in/a.npz", clicks=[BACKGROUND, *TWO[1:]])
    assert challenge(path, tmp_path / "out") == 1
    assert "Only background is marked" in capsys.readouterr().err
