"""The training data of SAM3D's decoder: variants of volumes, several images, published patches."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

import itertools

from sam_checkpoints import tiny_is_published, write_checkpoint

from MedSegFMLib import Geometry, Session, Text, Volume, create
from MedSegFMLib.errors import TrainingError
from MedSegFMLib.models.sam3d.patches import ZScores
from MedSegFMLib.models.sam3d.weights import load, read_facts
from MedSegFMLib.progress import no_progress
from MedSegFMLib.train.recipes.sam3d.augmentation import augmented
from MedSegFMLib.train.recipes.sam3d.settings import Sam3dSettings
from MedSegFMLib.train.recipes.sam3d.volumes import ClassVolume
from MedSegFMLib.train.run import train
from MedSegFMLib.train.settings_text import parse_settings
from MedSegFMLib.volumes.images import combined

Z = ZScores(0.0, 1.0)


@pytest.fixture(autouse=True)
def tiny_base() -> Iterator[None]:
    with tiny_is_published():
        yield


def blocks() -> np.ndarray:
    """Squares of three classes, some slices of them."""
    coarse = np.random.default_rng(0).integers(0, 3, (3, 6, 7)).astype(np.uint8)
    return np.kron(coarse, np.ones((1, 12, 12), np.uint8))


def test_in_a_variant_classes_stay_on_their_voxels() -> None:
    classes = blocks()
    plain = ClassVolume((4.0 * classes,), (Z,), classes)
    shapes, shares = set(), []
    for seed in range(8):
        made = augmented(plain, 32, np.random.default_rng(seed))
        shapes.add(made.classes_kji.shape)
        image = made.images_kji[0]
        middles = [np.median(image[made.classes_kji == number]) for number in range(3)]
        assert middles == sorted(middles) and middles[2] - middles[0] > 2
        between = [(a + b) / 2 for a, b in itertools.pairwise(middles)]
        shares.append((np.digitize(image, between) == made.classes_kji).mean())
    assert len(shapes) > 1 and np.mean(shares) > 0.85


def test_a_variant_is_turned_scaled_and_of_another_contrast() -> None:
    classes = blocks()
    plain = ClassVolume((4.0 * classes,), (Z,), classes)
    made = augmented(plain, 72, np.random.default_rng(1))
    again = augmented(plain, 72, np.random.default_rng(1))
    assert np.array_equal(made.images_kji[0], again.images_kji[0])
    # Neither the plain classes nor one of their mirror images.
    for axes in ((), (1,), (2,), (1, 2)):
        flipped = np.flip(classes, axes)[:, : made.classes_kji.shape[1]]
        assert flipped.shape != made.classes_kji.shape or (flipped != made.classes_kji).any()
    assert abs(np.ptp(made.images_kji[0]) - np.ptp(plain.images_kji[0])) > 0.1


def test_all_images_of_a_variant_are_moved_alike() -> None:
    classes = blocks()
    made = augmented(
        ClassVolume((4.0 * classes, 8.0 - 4.0 * classes), (Z, Z), classes),
        32,
        np.random.default_rng(3),
    )
    first, second = made.images_kji
    inside = made.classes_kji > 0
    assert np.corrcoef(first[inside], second[inside])[0, 1] < -0.7


@pytest.mark.parametrize(
    ("name", "patch", "depth"),
    [("acdc", 160, 14), ("synapse", 176, 64), ("brats", 64, 64), ("lung", 192, 34)],
)
def test_the_published_patches_have_names(name: str, patch: int, depth: int) -> None:
    settings = parse_settings(Sam3dSettings, ["out=run", f"recipe={name}"])
    assert (settings.patch, settings.depth) == (patch, depth)


def write_cases(folder: Path, second: tuple[str, ...]) -> Path:
    """Two cases of several images."""
    items = []
    for number, names in enumerate((("t1", "flair"), second)):
        labels = np.zeros((5, 34, 36), np.uint8)
        labels[1:4, 6 + number : 20, 8:25] = 1
        geometry = Geometry.from_spacing(labels.shape, (1, 1, 3))
        images = {}
        for place, name in enumerate(names):
            rng = np.random.default_rng((number, place))
            array = (rng.normal(0, 4, labels.shape) + 50 * labels).astype(np.float32)
            images[name] = f"{name}{number}.nii.gz"
            Volume(array, geometry).write(folder / images[name])
        Volume(labels, geometry).write(folder / f"label{number}.nii.gz")
        case = {"name": f"case {number}", "images": images, "label": f"label{number}.nii.gz"}
        items.append({**case, "modality": "MR", "objects": {"1": "tumour"}})
    path = folder / "cases.json"
    path.write_text(json.dumps({"cases": items}))
    return path


def settings(folder: Path, cases: Path, **changes: bool) -> Sam3dSettings:
    return Sam3dSettings(
        out=folder / "run",
        base=str(write_checkpoint(folder / "sam.pth")),
        cases=cases,
        patch=32,
        depth=4,
        steps=2,
        device="cpu",
        precision="no",
        threads=1,
        validate_samples=1_000_000,
        **changes,
    )


def test_cases_of_several_images_train_a_decoder_that_takes_them_all(tmp_path: Path) -> None:
    chosen = settings(tmp_path, write_cases(tmp_path, ("t1", "flair")), shortcuts=False)
    path = train("sam3d", chosen, no_progress).path
    facts = read_facts(path)
    assert facts is not None and facts.channels == ("t1", "flair")
    assert load(path).config.modalities == 2 and not load(path).config.shortcuts
    model = create("sam3d", "cpu", weights=path, base=chosen.base, cache_bytes=0)
    images = {name: Volume.read(tmp_path / f"{name}1.nii.gz") for name in ("flair", "t1")}
    session = Session(model, combined(images))
    session.add(Text("tumour"))
    assert session.predict().mask.array_kji.shape == (5, 34, 36)


def test_cases_of_different_images_are_refused(tmp_path: Path) -> None:
    cases = write_cases(tmp_path, ("t1", "t2"))
    with pytest.raises(TrainingError, match=r"Case case 1 has the images t1, t2, and case 0"):
        train("sam3d", settings(tmp_path, cases), no_progress)
