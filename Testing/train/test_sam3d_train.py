"""Training SAM3D's decoder: it learns, resumes exactly, and is what `segment` then uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from safetensors.torch import load_file  # noqa: E402
from sam_checkpoints import tiny_is_published, write_checkpoint  # noqa: E402

from MedSegFMLib import Geometry, Session, Text, Volume, create  # noqa: E402
from MedSegFMLib.errors import Cancelled, TrainingError, WeightsError  # noqa: E402
from MedSegFMLib.models.sam3d.config import Sam3dConfig  # noqa: E402
from MedSegFMLib.models.sam3d.patches import PatchGrid  # noqa: E402
from MedSegFMLib.models.sam3d.weights import read_facts  # noqa: E402
from MedSegFMLib.progress import Progress, no_progress  # noqa: E402
from MedSegFMLib.train.labelled_volumes import LabelledVolume  # noqa: E402
from MedSegFMLib.train.log import read_log  # noqa: E402
from MedSegFMLib.train.recipes.sam3d.loss import class_loss, supervised_loss  # noqa: E402
from MedSegFMLib.train.recipes.sam3d.patches import PatchVolume, make_patches  # noqa: E402
from MedSegFMLib.train.recipes.sam3d.settings import Sam3dSettings  # noqa: E402
from MedSegFMLib.train.recipes.sam3d.task import saved_bytes  # noqa: E402
from MedSegFMLib.train.recipes.sam3d.volumes import class_volume, classes_in  # noqa: E402
from MedSegFMLib.train.run import train as train_by_name  # noqa: E402

Tiny = Callable[..., Sam3dSettings]


@pytest.fixture(autouse=True)
def tiny_base() -> Iterator[None]:
    with tiny_is_published():
        yield


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "sam.pth")


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    """Two volumes with a bright and a dark cube each, elsewhere in each, under names."""
    items = []
    for number in range(2):
        labels = np.zeros((6, 36, 40), np.uint8)
        labels[1:5, 4:16, 5 + number : 18 + number] = 1
        labels[0:4, 20 - number : 33 - number, 20:35] = 7
        noise = np.random.default_rng(number).normal(0, 4, labels.shape)
        image = 100.0 * (labels == 1) - 100.0 * (labels == 7) + noise
        geometry = Geometry.from_spacing(labels.shape, (1, 1, 3))
        for kind, array in (("image", image.astype(np.float32)), ("label", labels)):
            Volume(array, geometry).write(tmp_path / f"{kind}{number}.nii.gz")
        items.append(
            {
                "name": f"case {number}",
                "image": f"image{number}.nii.gz",
                "label": f"label{number}.nii.gz",
                "modality": "CT",
                "objects": {"1": "bright", "7": "dark"},
            }
        )
    path = tmp_path / "cases.json"
    path.write_text(json.dumps({"cases": items}))
    return path


@pytest.fixture
def tiny(tmp_path: Path, base: Path, cases: Path) -> Tiny:
    """Settings for a run of seconds in a folder of the test."""
    known: dict[str, Any] = {
        "base": base,
        "cases": cases,
        "patch": 32,
        "depth": 4,
        "variants": 1,
        "steps": 4,
        "device": "cpu",
        "precision": "no",
        "threads": 1,
        "validate_samples": 1_000_000,
    }

    def settings(folder: str = "run", **changes: Any) -> Sam3dSettings:
        return Sam3dSettings(out=tmp_path / folder, **{**known, **changes})

    return settings


def train(settings: Sam3dSettings, progress: Progress = no_progress) -> Path:
    return train_by_name("sam3d", settings, progress).path


def same_weights(first: Path, second: Path) -> bool:
    ours, theirs = load_file(str(first)), load_file(str(second))
    return all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_training_lowers_the_loss_and_what_it_wrote_segments_both_classes(
    tiny: Tiny, base: Path, cases: Path
) -> None:
    settings = tiny(steps=120, variants=2)
    path = train(settings)
    rows = read_log(settings.out)
    losses = [row["value"] for row in rows if row["name"] == "loss"]
    scores = {row["name"]: row["value"] for row in rows if row["name"].startswith("dice")}
    assert scores["dice"] > 0.6 and set(scores) == {"dice", "dice_bright", "dice_dark"}
    assert losses[-1] < 1.2
    assert (settings.out / "preview.png").is_file()
    facts = read_facts(path)
    assert facts is not None and facts.classes == ("bright", "dark")
    model = create("sam3d", "cpu", weights=path, base=base, cache_bytes=0)
    volume = Volume.read(cases.parent / "image1.nii.gz")
    session = Session(model, volume)
    for name in facts.classes:
        session.add_object(name)
    for label, name in session.prompts.objects:
        session.add(Text(name), label)
    found = session.labelmap().array_kji
    truth = Volume.read(cases.parent / "label1.nii.gz").array_kji
    overlap = 2 * ((found == 2) & (truth == 7)).sum() / ((found == 2).sum() + (truth == 7).sum())
    assert overlap == pytest.approx(scores["dice_dark"], abs=1e-3)


def test_a_run_that_was_stopped_goes_on_exactly(tiny: Tiny) -> None:
    whole = train(tiny("whole"))

    def cancel(fraction: float, phrase: str) -> None:
        if "samples" in phrase:
            raise Cancelled("stop")

    stopped = tiny("stopped")
    with pytest.raises(Cancelled):
        train(stopped, cancel)
    assert not (stopped.out / "sam3d.safetensors").exists()
    assert same_weights(whole, train(stopped))


def test_features_are_made_once(tiny: Tiny) -> None:
    settings = tiny(steps=1, variants=2)
    train(settings)
    kept = {path: path.stat().st_ino for path in (settings.out / "features").iterdir()}
    # Two variants of the one that is trained on, and that which is scored.
    assert len(kept) == 3
    train(tiny(steps=2, variants=2))
    assert {p: p.stat().st_ino for p in (settings.out / "features").iterdir()} == kept


def test_the_same_seed_gives_the_same_run_and_another_seed_another(tiny: Tiny) -> None:
    first, again, other = (train(tiny(str(n), steps=2, seed=n // 2)) for n in range(3))
    assert same_weights(first, again) and not same_weights(first, other)


def test_synthetic_volumes_have_one_class(tiny: Tiny) -> None:
    path = train(tiny(cases=None, synthetic=1, side=32, steps=1))
    facts = read_facts(path)
    assert facts is not None and facts.classes == ("object",)


def test_a_checkpoint_of_another_base_is_not_gone_on_from(tiny: Tiny, tmp_path: Path) -> None:
    train(tiny(steps=1))
    other = write_checkpoint(tmp_path / "other.pth", seed=1)
    with pytest.raises(TrainingError, match="is of another base"):
        train(tiny(steps=2, base=other))


def test_a_decoder_is_refused_over_another_base(tiny: Tiny, tmp_path: Path) -> None:
    path = train(tiny(steps=1))
    other = write_checkpoint(tmp_path / "other.pth", seed=1)
    with pytest.raises(WeightsError, match=r"was trained on the SAM .*; give that one as base="):
        create("sam3d", "cpu", weights=path, base=other, cache_bytes=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"patch": 100}, "multiple of 16 from 32"),
        ({"patch": 16}, "multiple of 16 from 32"),
        ({"overlap": 1.0}, "overlap is 1.0"),
        ({"variants": 0}, "variants is 0"),
        ({"rate": 0.0}, "rate is 0"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(TrainingError, match=words):
        Sam3dSettings(out=tmp_path, **changes)


def test_the_loss_of_a_right_answer_is_nothing_and_of_a_wrong_one_much() -> None:
    labels = torch.tensor([0, 1, 1, 2]).reshape(1, 1, 2, 2)
    right = 50.0 * torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).float()
    assert float(class_loss(right, labels)) == pytest.approx(0, abs=1e-4)
    # Every voxel one class further: no overlap, and 50 nats off.
    assert float(class_loss(right.roll(1, 1), labels)) == pytest.approx(51, abs=1e-3)


def test_coarser_answers_weigh_half_and_a_quarter() -> None:
    labels = torch.randint(0, 3, (1, 2, 8, 8), generator=torch.Generator().manual_seed(0))
    answers = [torch.randn(1, 3, 2, n, n) for n in (8, 4, 2)]
    own = [labels, labels[..., 1::2, 1::2], labels[..., 2::4, 2::4]]
    each = [float(class_loss(a, t)) for a, t in zip(answers, own, strict=True)]
    expected = (4 * each[0] + 2 * each[1] + each[2]) / 7
    assert float(supervised_loss(answers, labels)) == pytest.approx(expected, rel=1e-5)


def labelled(objects: dict[int, str]) -> LabelledVolume:
    labels = np.zeros((2, 3, 4), np.int16)
    labels[0, 0, :2], labels[1, 2, 3] = 4, 9
    image = np.arange(24, dtype=np.int16).reshape(labels.shape)
    volume = Volume(image, Geometry.from_spacing(labels.shape))
    return LabelledVolume("one", "CT", volume, labels, objects)


def test_the_same_name_is_the_same_class_over_volumes() -> None:
    one, other = labelled({4: "Liver", 9: "spleen"}), labelled({9: "liver ", 4: "tumour"})
    assert classes_in([one, other]) == ("Liver", "spleen", "tumour")
    numbers = class_volume(other, ("Liver", "spleen", "tumour")).classes_kji
    assert (
        numbers[1, 2, 3] == 1 and (numbers[0, 0, :2] == 3).all() and np.count_nonzero(numbers) == 3
    )


def test_names_of_one_meaning_are_one_class_and_keep_the_first_spelling() -> None:
    spellings = ["left kidney", "kidney_left", "Kidney (L)", "LK"]
    volumes = [labelled({4: name, 9: "LV"}) for name in spellings]
    # "LV" is a ventricle of the heart or of the brain, so that its spelling decides.
    classes = classes_in([*volumes, labelled({4: "left heart ventricle", 9: "lv"})])
    assert classes == ("left kidney", "LV", "left heart ventricle")
    for volume in volumes:
        numbers = class_volume(volume, classes).classes_kji
        assert (numbers[0, 0, :2] == 1).all() and numbers[1, 2, 3] == 2
    # A volume that is scored may have names that no volume of the training has.
    other = class_volume(labelled({4: "right kidney", 9: "Left Kidneys"}), classes).classes_kji
    assert (other[0, 0, :2] == 0).all() and other[1, 2, 3] == 1


def test_patches_hold_what_they_are_named_for_and_their_own_features() -> None:
    classes = np.zeros((9, 70, 40), np.uint8)
    classes[7, 66, 3] = 2
    windows = PatchGrid.covering((9, 70, 40), 32, 4, 0.5)
    # The features tell the slice and the window that they are of.
    shape = (len(windows.corners), 9, 256, 2, 2)
    window, k = np.indices(shape[:2])
    told = np.broadcast_to((window * 16 + k)[..., None, None, None], shape).astype(np.float16)
    volume = PatchVolume([told], windows, classes)
    for seed in range(20):
        patches = make_patches([volume], 2, 1.0, (seed,))
        assert patches.features.shape == (2, 256, 4, 2, 2)
        for features, held in zip(patches.features, patches.classes, strict=True):
            slices = features[0, :, 0, 0].numpy() % 16
            assert (held == 2).sum() == 1
            assert slices[int(np.argwhere(held.numpy() == 2)[0, 0])] == 7
    again = make_patches([volume], 2, 1.0, (19,))
    assert torch.equal(again.features, patches.features)


def test_what_a_step_keeps_is_told_without_taking_it() -> None:
    small = saved_bytes(Sam3dConfig(3), 1, 4, 32)
    assert saved_bytes(Sam3dConfig(3), 2, 4, 32) == pytest.approx(2 * small, rel=0.05)
    assert 4e8 < saved_bytes(Sam3dConfig(4), 2, 16, 160) < 5e8
