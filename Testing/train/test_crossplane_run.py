"""The recipe `crossplane` as its users run it: trained, stopped, gone on with, and used."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from command_line import refused, run
from safetensors.torch import load_file
from sample_volumes import make_blob

pytest.importorskip("peft")

from peft import PeftModel
from sam_checkpoints import tiny_is_published, write_checkpoint

from MedSegFMLib import Box, Geometry, Session, Volume, create
from MedSegFMLib.errors import (
    Cancelled,
    CasesError,
    DeviceError,
    TrainingError,
    WeightsError,
)
from MedSegFMLib.models.common.adapter_files import tensors_file
from MedSegFMLib.models.sam import lora_file
from MedSegFMLib.models.sam import weights as sam_weights
from MedSegFMLib.train.log import read_log
from MedSegFMLib.train.loop import FAILED_BATCH
from MedSegFMLib.train.planner import plan
from MedSegFMLib.train.recipes.crossplane import task as crossplane_task
from MedSegFMLib.train.recipes.crossplane.recipe import RESULT
from MedSegFMLib.train.recipes.crossplane.samples import spread
from MedSegFMLib.train.recipes.crossplane.settings import CrossplaneSettings
from MedSegFMLib.train.recipes.crossplane.task import REPORT_FILE, CrossplaneTask
from MedSegFMLib.train.run import train

TRAINED: dict[str, Any] = {
    "synthetic": 2,
    "side": 24,
    "steps": 4,
    "accumulate": 1,
    "dropout": 0.1,
    "blocks": 1,
    "rate": 1e-2,
    "warmup": 0,
    "validation_objects": 1,
    "validate_samples": 100,
    "threads": 1,
    "device": "cpu",
}
Made = Callable[..., CrossplaneSettings]


@pytest.fixture(autouse=True)
def tiny_published() -> Iterator[None]:
    with tiny_is_published():
        yield


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Settings for a run of a second; changes and the folder's name are given."""
    base = write_checkpoint(tmp_path / "tiny.pth")

    def settings(folder: str = "run", **changes: Any) -> CrossplaneSettings:
        values = {"base": str(base), **TRAINED, **changes}
        return CrossplaneSettings(out=tmp_path / folder, **values)

    return settings


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> CrossplaneSettings:
    """Settings of a run that has ended, for tests that change neither its folder nor its base."""
    folder = tmp_path_factory.mktemp("trained")
    base = write_checkpoint(folder / "tiny.pth")
    settings = CrossplaneSettings(out=folder / "run", base=str(base), **TRAINED)
    with tiny_is_published():
        train("crossplane", settings)
    return settings


def write_cases(folder: Path, count: int = 2) -> Path:
    items = []
    for n in range(count):
        volume, mask = make_blob(Geometry.from_spacing((12, 14, 16), (1, 1, 2)), seed=n)
        volume.write(folder / f"image{n}.nii.gz")
        volume.with_array(mask.astype(np.uint8)).write(folder / f"label{n}.nii.gz")
        items.append(
            {
                "name": f"patient {n}",
                "image": f"image{n}.nii.gz",
                "label": f"label{n}.nii.gz",
                "modality": "CT",
                "objects": {"1": "ball"},
            }
        )
    path = folder / "cases.json"
    path.write_text(json.dumps({"cases": items}))
    return path


def tensors(path: Path) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(str(tensors_file(path)))
    return found


def same(one: Path, other: Path) -> bool:
    a, b = tensors(one), tensors(other)
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_a_run_that_was_stopped_goes_on_exactly(made: Made) -> None:
    whole = train("crossplane", made("whole")).path
    stopped = made("stopped")

    def stop(fraction: float, phrase: str) -> None:
        # Training tells how many samples it saw; what prepares it does not.
        if fraction >= 0.5 and "samples" in phrase:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        train("crossplane", stopped, stop)
    assert not (stopped.out / RESULT).exists()
    trained = train("crossplane", stopped)
    assert trained.samples == 4 and same(whole, trained.path)
    before = [
        json.loads((p.parent / REPORT_FILE).read_text(encoding="utf-8"))["before"]
        for p in (whole, trained.path)
    ]
    assert before[0] == pytest.approx(before[1])


def test_the_base_is_left_as_it_was(made: Made) -> None:
    settings = made()
    before = Path(settings.base).read_bytes()
    train("crossplane", settings)
    assert Path(settings.base).read_bytes() == before


def test_fresh_adapters_change_nothing_and_trained_ones_do(made: Made) -> None:
    settings = made(rate=1e-12, dropout=0.0)
    untouched = train("crossplane", settings).path
    base = Path(settings.base)
    plain = sam_weights.load(base).state_dict()
    merged = lora_file.load(untouched, base).state_dict()
    assert max(float((plain[n] - merged[n]).abs().max()) for n in plain) < 1e-6
    adapted = lora_file.load(train("crossplane", made("other")).path, base).state_dict()
    changed = {n for n in plain if not torch.equal(plain[n], adapted[n])}
    assert changed and all("blocks.1.attn.qkv" in n or "mask_decoder" in n for n in changed)


def test_peft_reads_the_adapter_and_computes_the_same(trained: CrossplaneSettings) -> None:
    folder, base = trained.out / RESULT, Path(trained.base)
    network = sam_weights.load(base)
    network.plain_decoder = True
    with_peft = PeftModel.from_pretrained(network, str(folder)).eval()
    merged = lora_file.load(folder, base)
    image = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        assert torch.allclose(network.encoder(image), merged.encoder(image), atol=1e-5)
    assert isinstance(with_peft, PeftModel)
    assert sum(file.stat().st_size for file in folder.iterdir()) < 3_000_000


def test_training_lowers_the_loss_on_its_volumes(made: Made) -> None:
    settings = made(steps=40, hot_share=0.0, rate=3e-3, synthetic=1, dropout=0.0)
    losses: list[float] = []
    learn = CrossplaneTask.backward

    def noted(self: CrossplaneTask, *given: Any) -> dict[str, torch.Tensor]:
        values = learn(self, *given)
        losses.append(float(values["segmentation_loss"]))
        return values

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(CrossplaneTask, "backward", noted)
        train("crossplane", settings)
    assert np.mean(losses[-10:]) < 0.9 * np.mean(losses[:10])


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
@pytest.mark.parametrize("blocks", [0, 1])
def test_a_base_in_sixteen_bits_is_trained_on_and_scored(
    device: str, blocks: int, made: Made
) -> None:
    settings = made(precision="bf16", device=device, recomputed=True, blocks=blocks)
    folder = train("crossplane", settings).path
    adapter = tensors(folder)
    assert all(tensor.dtype == torch.float32 for tensor in adapter.values())
    assert any(float(t.abs().max()) > 0 for name, t in adapter.items() if "lora_B" in name)
    lora_file.load(folder, Path(settings.base))


def test_cases_are_trained_on_and_the_held_back_one_is_scored(made: Made, tmp_path: Path) -> None:
    settings = made(cases=write_cases(tmp_path, 3), held_back="patient 1")
    folder = train("crossplane", settings).path
    report = json.loads((settings.out / REPORT_FILE).read_text(encoding="utf-8"))
    assert report["held_back"] == ["patient 1"]
    assert set(report["before"]) == set(report["after"]) == {"dice", "agreement", "inconsistency"}
    facts = lora_file.read_facts(folder)
    assert [volume["name"] for volume in facts.data] == ["patient 0", "patient 2"]
    assert len(facts.data[0]["image_sha256"]) == 64 and facts.settings["rank"] == "8"
    assert {row["name"] for row in read_log(settings.out)} >= {
        *("loss", "segmentation_loss", "intersection_loss", "dice", "inconsistency"),
    }


def test_an_adapter_segments_by_name_and_in_the_command_line(
    trained: CrossplaneSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    settings, folder = trained, trained.out / RESULT
    said = refused(capsys, "weights", "import", "crossplane", settings.base)
    assert "safetensors" in said
    assert run("weights", "import", "crossplane", str(folder)) == 0
    capsys.readouterr()
    volume, _ = make_blob(Geometry.from_spacing((16, 18, 20)))
    image = tmp_path / "image.nii.gz"
    volume.write(image)
    box = ["--box", "3", "3", "3", "17", "15", "13"]
    out = tmp_path / "seg.nii.gz"
    words = ["segment", str(image), "--model", "crossplane", "--out", str(out), *box]
    assert "not installed" in refused(capsys, *words)
    assert run(*words, "--option", f"base={settings.base}") == 0
    assert Volume.read(out).array_kji.shape == volume.array_kji.shape
    # With the base installed nothing needs to be named.
    base_sha256 = lora_file.read_facts(folder).base_sha256
    assert run("weights", "import", "sam", settings.base, "--sha256", base_sha256) == 0
    assert run(*words) == 0


def test_a_merged_adapter_is_a_sam(
    trained: CrossplaneSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings, folder = trained, trained.out / RESULT
    out = tmp_path / "merged.safetensors"
    assert run("weights", "merge", str(folder), "--base", settings.base, "--out", str(out)) == 0
    assert "--model sam" in capsys.readouterr().out
    volume, _ = make_blob(Geometry.from_spacing((16, 18, 20)))
    answers = []
    for segmenter in (
        create("sam", "cpu", weights=out),
        create("crossplane", "cpu", weights=folder, base=settings.base),
    ):
        session = Session(segmenter, volume)
        session.add(Box.from_ijk(volume.geometry, (3, 3, 3), (17, 15, 13)))
        answers.append(session.predict().logits_kji)
    assert np.array_equal(*answers)


def test_an_adapter_of_another_base_is_refused(made: Made, tmp_path: Path) -> None:
    folder = train("crossplane", made()).path
    other = write_checkpoint(tmp_path / "other.pth", seed=5)
    with pytest.raises(WeightsError, match=r"adapter of tiny\.pth.*is a different file"):
        create("crossplane", "cpu", weights=folder, base=other)
    with pytest.raises(TrainingError, match="is of another base; train into another folder"):
        train("crossplane", made(base=str(other)))
    with pytest.raises(TrainingError, match=r"rank is 4.*has rank=8"):
        train("crossplane", made(rank=4))
    with pytest.raises(TrainingError, match=r"alpha is 4\.0.*has alpha=16\.0"):
        train("crossplane", made(alpha=4.0))


def test_a_checkpoint_of_other_volumes_is_refused(made: Made, tmp_path: Path) -> None:
    cases = write_cases(tmp_path, 3)
    train("crossplane", made(cases=cases))
    for change in ({"cases": None}, {"cases": cases, "held_back": "patient 0"}):
        with pytest.raises(TrainingError, match="is of another set of volumes"):
            train("crossplane", made(**change))


@pytest.mark.parametrize("damage", ["truncated", "metadata", "missing", "shapes"])
def test_a_damaged_adapter_is_refused(
    damage: str, trained: CrossplaneSettings, tmp_path: Path
) -> None:
    from safetensors.torch import save_file

    file = tensors_file(Path(copytree(trained.out / RESULT, tmp_path / "adapter")))
    held = load_file(str(file))
    if damage == "truncated":
        file.write_bytes(file.read_bytes()[:-10])
    elif damage == "metadata":
        save_file(held, str(file))
    else:
        facts = lora_file.read_facts(file.parent)
        name = next(iter(held))
        if damage == "missing":
            del held[name]
        else:
            held[name] = torch.zeros(3, 5)
        lora_file.write(file.parent, facts, held)
    with pytest.raises(WeightsError):
        create("crossplane", "cpu", weights=file.parent, base=trained.base)


def test_a_loss_that_is_no_number_stops_with_its_batch(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss = crossplane_task.crossplane_loss
    calls = iter(range(100))

    def broken(*given: Any) -> dict[str, torch.Tensor]:
        values = loss(*given)
        if next(calls) == 2:
            values["loss"] = values["loss"] * float("nan")
        return values

    monkeypatch.setattr(crossplane_task, "crossplane_loss", broken)
    settings = made()
    with pytest.raises(TrainingError, match="nan after 2 samples"):
        train("crossplane", settings)
    batch = load_file(str(settings.out / FAILED_BATCH))
    assert batch["views.0.slice_image"].shape == batch["views.0.target"].shape
    monkeypatch.undo()
    assert train("crossplane", settings).samples == 4


def test_a_training_that_blew_up_leaves_the_checkpoint_from_before(made: Made) -> None:
    """A rate so high that the next gradient is no number: what was saved can be gone on from."""
    first = made(steps=2, save_minutes=1e-9, warmup=0)
    train("crossplane", first)
    saved = load_file(str(next(first.out.glob("checkpoint-*.safetensors"))))
    with pytest.raises(TrainingError, match="lower rate"):
        train("crossplane", made(steps=60, rate=1e30, save_minutes=100))
    kept = load_file(str(next(first.out.glob("checkpoint-*.safetensors"))))
    assert all(torch.equal(saved[name], kept[name]) for name in saved)
    assert train("crossplane", made(steps=4)).samples == 4


def test_objects_to_score_are_spread_over_volumes() -> None:
    volumes = {"a": 3, "b": 1, "c": 2}
    objects: list[Any] = [
        SimpleNamespace(volume=SimpleNamespace(name=name), label=label)
        for name, count in volumes.items()
        for label in range(count)
    ]
    chosen = [(target.volume.name, target.label) for target in spread(objects, 5)]
    assert chosen == [("a", 0), ("b", 0), ("c", 0), ("a", 1), ("c", 1)]


def test_memory_that_is_short_is_told_with_a_way_out(
    made: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any) -> None:
        raise torch.cuda.OutOfMemoryError("full")

    monkeypatch.setattr(crossplane_task, "crossplane_loss", full)
    with pytest.raises(DeviceError, match=r"recomputed=true.*--dry-run"):
        train("crossplane", made())


def test_what_cannot_be_trained_on_is_told_in_a_sentence(made: Made, tmp_path: Path) -> None:
    cases = write_cases(tmp_path)
    with pytest.raises(TrainingError, match="no case nobody to hold back; it has patient 0"):
        train("crossplane", made(cases=cases, held_back="nobody"))
    with pytest.raises(TrainingError, match="leaves no case to train on"):
        train("crossplane", made(cases=cases, held_back="patient 0,patient 1"))
    document = json.loads(cases.read_text(encoding="utf-8"))
    cases.write_text(json.dumps({"cases": document["cases"][:1]}))
    with pytest.raises(TrainingError, match="add a case"):
        train("crossplane", made(cases=cases))
    cases.write_text(json.dumps({"cases": []}))
    with pytest.raises(CasesError, match="contains no cases"):
        train("crossplane", made(cases=cases))
    document["cases"][0]["objects"] = {"7": "nothing"}
    cases.write_text(json.dumps(document))
    with pytest.raises(CasesError, match=r"patient 0.*labelled nothing"):
        train("crossplane", made(cases=cases))
    document["cases"][0]["objects"] = {"1": "ball"}
    cases.write_text(json.dumps(document))
    thin = Volume.read(tmp_path / "image0.nii.gz").array_kji[:1]
    for file in ("image0", "label0"):
        whole = Volume.read(tmp_path / f"{file}.nii.gz")
        Volume(whole.array_kji[6:7], Geometry.from_spacing(thin.shape)).write(
            tmp_path / f"{file}.nii.gz"
        )
    with pytest.raises(TrainingError, match="patient 0 has 16 x 14 x 1 voxels"):
        train("crossplane", made(cases=cases))
    with pytest.raises(WeightsError, match="none"):
        train("crossplane", made(base=str(tmp_path / "none.pth")))


def test_a_label_on_another_grid_is_brought_to_the_images(made: Made, tmp_path: Path) -> None:
    cases = write_cases(tmp_path)
    label = Volume.read(tmp_path / "label0.nii.gz")
    label.flip(0).write(tmp_path / "label0.nii.gz")
    flipped = train("crossplane", made("flipped", cases=cases)).path
    label.write(tmp_path / "label0.nii.gz")
    straight = train("crossplane", made("straight", cases=cases)).path
    assert same(flipped, straight)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("rank=0", "rank is 0"),
        ("dropout=1", "dropout is 1.0"),
        ("ramp=2", "ramp is 2.0"),
        ("steps=0", "steps is 0"),
        ("size=512", "native or 1024"),
        ("targets=mlp", "qkv or attention or all"),
    ],
)
def test_a_setting_that_cannot_be_is_refused(
    words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, "train", "crossplane", "out=x", words)


def test_a_dry_run_measures_and_writes_nothing(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = made()
    found = plan("crossplane", settings)
    assert found.device == "cpu" and found.steps == 4 and found.seconds_per_step > 0
    assert found.predicted_bytes > 0 and found.measured_bytes >= 0
    words = [f"{key}={value}" for key, value in TRAINED.items()]
    words += [f"out={settings.out}", f"base={settings.base}", "--dry-run"]
    assert run("train", "crossplane", *words) == 0
    said = capsys.readouterr().out
    assert "predicted" in said and "measured" in said and "minutes for 4 steps" in said
    assert not settings.out.exists()


def test_the_weight_of_the_intersection_rises_over_the_ramp(made: Made) -> None:
    from MedSegFMLib.train.distributed import Processes

    task = CrossplaneTask(made(steps=10, accumulate=2, ramp=0.5), Processes("cpu"))
    assert [task._ramp(number) for number in (0, 5, 10, 19)] == [0.0, 0.5, 1.0, 1.0]
    level = CrossplaneTask(made(ramp=0.0), Processes("cpu"))
    assert level._ramp(0) == 1.0
