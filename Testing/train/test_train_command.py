"""`medsegfm train` and `medsegfm pack` as typed, and settings as words."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from command_line import refused, run
from sample_volumes import make_blob
from waiting import GENEROUS_SECONDS, wait_until

from MedSegFMLib import Box, Geometry, Session, Volume, create
from MedSegFMLib.errors import ModelError, TrainingError
from MedSegFMLib.synthesis.recorded.pack_format import load_pack
from MedSegFMLib.train import registry as recipes
from MedSegFMLib.train import settings_text
from MedSegFMLib.train.log import FILE
from MedSegFMLib.train.recipes.ensam.settings import EnsamSettings

ROOT = Path(__file__).resolve().parents[2]


def test_words_become_settings() -> None:
    words = "out=a minutes=1.5 pack=b.npz batch=8 dense_prompts=false optimiser=adam".split()
    settings = settings_text.parse_settings(EnsamSettings, words)
    assert settings == EnsamSettings(
        Path("a"), Path("b.npz"), minutes=1.5, batch=8, dense_prompts=False, optimiser="adam"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("minutes=1", "out=FOLDER"),
        ("out=a", "minutes=30"),
        ("out=a minutes=-1", "0 or more"),
        ("out=a minutes=x", "a number"),
        ("out=a minutes=inf", "finite"),
        ("out=a samples=1.5", "a whole number"),
        ("out=a samples=1 colour=red", "not a setting"),
        ("out=a samples", "key=value"),
        ("out=a out=b samples=1", "twice"),
        ("out= samples=1", "give a path"),
        ("out=a samples=1 skip=sum", "concat or add"),
        ("out=a samples=1 millimetres=yes", "true or false"),
        ("out=a samples=1 batch=0", "1 or more"),
        ("out=a samples=1 rate=0", "above 0"),
        ("out=a samples=1 cooldown=1.5", "from 0 to 1"),
        ("out=a samples=1 graded=9", "6 answers"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(words: str, said: str) -> None:
    with pytest.raises(TrainingError, match=said):
        settings_text.parse_settings(EnsamSettings, words.split())


def test_cells_that_the_network_cannot_have_are_refused() -> None:
    with pytest.raises(ModelError, match="multiple of 8"):
        settings_text.parse_settings(EnsamSettings, "out=a samples=1 cells=30".split())


@pytest.mark.parametrize("name", recipes.RECIPES)
def test_every_recipe_says_what_each_setting_means(name: str) -> None:
    recipe = recipes.recipe(name)
    described = settings_text.described(recipe.Settings)
    assert [d.name for d in described] == [field.name for field in fields(recipe.Settings)]
    assert recipe.SUMMARY and all(d.meaning for d in described)
    # Every default can be typed; a budget that has none must be given.
    words = [f"{d.name}={d.default}" for d in described if d.default] + ["out=a"]
    if "steps" not in recipe.Settings.__dataclass_fields__:
        words = [word for word in words if not word.startswith("samples=")] + ["samples=1"]
    settings_text.parse_settings(recipe.Settings, words)


def test_settings_are_listed_for_reading(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("train", "ensam", "--settings") == 0
    listed = capsys.readouterr().out
    assert "minutes" in listed and "scene_side" in listed
    # Presets are listed with what they stand for.
    assert "recipe=paper stands for native=true positions=liere" in listed
    assert run("train", "--help") == 0
    assert "--settings" in capsys.readouterr().out


def test_training_says_in_one_line_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "the recipes are ensam" in refused(capsys, "train", "nosuch")
    assert "needs a budget" in refused(capsys, "train", "ensam", "out=x")
    out = f"out={tmp_path / 'run'}"
    pack = f"pack={tmp_path / 'no.npz'}"
    assert "no.npz" in refused(capsys, "train", "ensam", out, pack, "samples=1", "device=cpu")
    assert "cuda:99" in refused(capsys, "train", "ensam", out, "samples=1", "device=cuda:99")
    monkeypatch.setattr(recipes, "find_spec", lambda name: None)
    assert 'pip install ".[models]"' in refused(capsys, "train", "ensam", out, "samples=1")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("crossplane base=sam", "weights fetch sam"),
        ("crossplane base=nowhere.pth", "no SAM 'nowhere.pth'"),
        ("crossplane base=medsma", "did you mean medsam?"),
        ("sam3d base=sam", "weights of sam are not installed"),
        ("medical-sam3", "No trained weights of medical-sam3"),
        ("medical-sam3 base=nowhere", "base is nowhere"),
        ("ensam samples=1 start=nowhere.safetensors", "start is nowhere.safetensors"),
        ("ensam samples=1 pack=nowhere.npz --dry-run", "pack is nowhere.npz"),
    ],
)
def test_what_training_needs_is_missed_before_torch_is_imported(
    words: str, said: str, tmp_path: Path
) -> None:
    recipe_name, *settings = words.split()
    call = f"main(['train', '{recipe_name}', 'out=run', *{settings}])"
    script = f"import sys; from MedSegFMLib.cli import main; {call}; print('torch' in sys.modules)"
    environment = {**os.environ, "MEDSEGFM_WEIGHTS": str(tmp_path / "weights")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said in done.stderr and done.stdout.strip() == "False"
    assert not (tmp_path / "run").exists()


def test_trained_weights_segment(
    tmp_path: Path, tiny_words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert run("train", "ensam", f"out={out}", "samples=16", "minutes=2", *tiny_words) == 0
    said = capsys.readouterr().out
    assert "after 16 samples" in said and "Validation: dice_0" in said
    volume = make_blob(Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1)))[0]
    session = Session(create("ensam", "cpu", weights=out / "ensam.safetensors"), volume)
    session.add(Box.from_ijk(volume.geometry, (4, 4, 3), (20, 18, 15)))
    assert session.predict().mask.array_kji.shape == volume.array_kji.shape


def test_ctrl_c_says_how_to_go_on(
    tmp_path: Path,
    tiny_words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from MedSegFMLib.train.recipes.ensam.task import EnsamTask

    learn = EnsamTask.backward

    def interrupted(self: EnsamTask, *words: object) -> object:
        os.kill(os.getpid(), signal.SIGINT)
        return learn(self, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(EnsamTask, "backward", interrupted)
    out = tmp_path / "run"
    assert run("train", "ensam", f"out={out}", "samples=99", "optimiser=adam", *tiny_words) == 130
    assert "same command again" in capsys.readouterr().err
    assert (
        json.loads((out / "checkpoint.json").read_text(encoding="utf-8"))["counters"]["steps"] == 1
    )


@pytest.mark.skipif(sys.platform == "win32", reason="signals a group of processes")
def test_a_signal_to_all_processes_still_saves(tmp_path: Path, tiny_words: list[str]) -> None:
    out = tmp_path / "run"
    own = ["minutes=60", "workers=1", "validate_samples=1", f"out={out}"]
    keys = {word.partition("=")[0] for word in own}
    words = [word for word in tiny_words if word.partition("=")[0] not in keys]
    log = out / FILE
    process = subprocess.Popen(
        [sys.executable, "-m", "MedSegFMLib", "train", "ensam", *own, *words],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    try:
        # Steps are under way, and the worker makes batches, when the second one is scored.
        def is_under_way() -> bool:
            assert process.poll() is None, process.communicate()[1]
            return log.is_file() and log.read_text(encoding="utf-8").count("dice_0") > 1

        wait_until(is_under_way)
        os.killpg(process.pid, signal.SIGTERM)
        _, said = process.communicate(timeout=GENEROUS_SECONDS)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130 and "same command again" in said, said
    assert (
        json.loads((out / "checkpoint.json").read_text(encoding="utf-8"))["counters"]["steps"] >= 2
    )


def test_volumes_are_packed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("skimage")
    image, mask = make_blob(Geometry.from_spacing((18, 22, 24), (0.9, 0.9, 2.1)))
    image.write(tmp_path / "i.nrrd")
    Volume(mask.astype(np.uint8), image.geometry).write(tmp_path / "m.nrrd")
    source = {"name": "a", "image": "i.nrrd", "label": "m.nrrd", "licence": "own"}
    listed = tmp_path / "sources.json"
    listed.write_text(json.dumps({"sources": [{**source, "attribution": "us"}]}))
    assert run("pack", listed, "--out", tmp_path / "p.npz") == 0
    assert "1 volume, 1 with an image, 1 with labels" in capsys.readouterr().out
    assert [r.name for r in load_pack(tmp_path / "p.npz")] == ["a"]
    assert "is an input of" in refused(capsys, "pack", listed, "--out", tmp_path / "i.nrrd")
    assert "cannot be read" in refused(capsys, "pack", tmp_path / "x", "--out", tmp_path / "p.npz")
