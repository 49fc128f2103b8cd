"""SAM3D as a model and on the command line: classes, images, orientation, cancelling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sam3d_checkpoints import CLASSES, write_decoder, write_published
from sam_checkpoints import write_checkpoint
from sample_volumes import make_blob

from MedSegFMLib import Box, Geometry, Session, Text, Volume, create
from MedSegFMLib.cli import main
from MedSegFMLib.errors import Cancelled, ModelError, PromptError, VolumeError
from MedSegFMLib.models.sam3d.decoding import class_scores
from MedSegFMLib.models.sam3d.encoder_features import embeddings
from MedSegFMLib.models.sam3d.patches import PatchGrid, ZScores
from MedSegFMLib.progress import no_progress
from MedSegFMLib.volumes.images import combined


def sequences(count: int) -> Volume:
    geometry = Geometry.from_spacing((6, 40, 36), (1, 1, 3))
    return combined({f"MR{n}": make_blob(geometry, seed=n)[0] for n in range(count)})


def test_the_features_of_several_images_are_concatenated_in_the_order_of_the_training(
    tmp_path: Path, base: Path
) -> None:
    path = write_published(tmp_path / "brats.model", classes=4, modalities=3)
    given = {"weights": path, "base": base, "patch": 32, "depth": 4, "cache_bytes": 0}
    model: Any = create("sam3d", "cpu", **given, classes="a,b,c", images="MR2,MR0,MR1")
    assert model.card.channels == ("MR2", "MR0", "MR1")
    volume = sequences(3)
    scores = model.encode(volume, None, no_progress).scores
    windows = PatchGrid.covering((6, 40, 36), 32, 4, 0.5)
    features = [
        embeddings(
            model._scorer.base, array, ZScores.from_volume(array), windows, None, no_progress
        )
        for array in (volume.images[name] for name in model.card.channels)
    ]
    # As the decoder is published: 256 channels of each image, one image after another.
    joined = np.concatenate(features, axis=2)
    expected = class_scores(model._scorer.decoder, [joined], windows, (6, 40, 36), no_progress)
    assert np.array_equal(scores, expected)
    unnamed = create("sam3d", "cpu", **given, classes="a,b,c")
    assert unnamed.card.channels == 3
    ordered = combined({name: volume.image(name) for name in model.card.channels})
    assert np.array_equal(unnamed.encode(ordered, None, no_progress).scores, scores)  # type: ignore[attr-defined]
    assert not np.array_equal(unnamed.encode(volume, None, no_progress).scores, scores)  # type: ignore[attr-defined]
    session = Session(model, volume)
    session.add(Text("b"))
    assert session.predict().logits_kji.shape == (6, 40, 36)


def test_a_decoder_of_several_images_says_what_it_lacks(tmp_path: Path, base: Path) -> None:
    path = write_published(tmp_path / "brats.model", classes=4, modalities=4)
    given = {"weights": path, "base": base, "classes": "a,b,c", "patch": 32, "depth": 4}
    with pytest.raises(ModelError, match="takes 4 images of each volume, but 2 are named"):
        create("sam3d", "cpu", **given, images="t1,t2")
    model = create("sam3d", "cpu", **given)
    with pytest.raises(VolumeError, match=r"SAM3D takes 4 images .* a single image"):
        Session(model, sequences(1))


@pytest.fixture
def model(decoder: Path, base: Path) -> Any:
    return create("sam3d", "cpu", weights=decoder, base=base, cache_bytes=0)


def test_the_classes_share_the_volume_between_them(model: Any, volume: Volume) -> None:
    encoding = model.encode(volume, None, no_progress)
    best = encoding.scores.argmax(axis=0)
    found = {}
    for number, name in enumerate(CLASSES, 1):
        logits = model.predict(encoding, [Text(name)], None, no_progress).logits_kji
        others = np.delete(encoding.scores, number, axis=0).max(axis=0)
        expected = encoding.scores[number].astype(np.float32) - others
        assert np.allclose(logits, expected, atol=1e-6)
        found[name] = logits > 0
        # Of classes that are level in 16 bits the first has the voxel.
        assert np.array_equal(found[name], best == number)
    both = model.predict(encoding, [Text(" Spleen"), Text("LIVER")], None, no_progress)
    assert np.array_equal(both.logits_kji > 0, found["liver"] | found["spleen"])


def test_unknown_classes_and_other_prompts_are_refused(model: Any, volume: Volume) -> None:
    session = Session(model, volume)
    with pytest.raises(PromptError, match="has no class 'heart'; its classes are liver, spleen"):
        session.add(Text("heart"))
    with pytest.raises(PromptError, match="does not support box"):
        session.add(Box.from_ijk(volume.geometry, (0, 0, 0), (3, 3, 3)))
    assert not session.prompts.entries


def test_the_answer_goes_with_the_voxels_whatever_the_orientation(
    model: Any, directions: np.ndarray
) -> None:
    array = np.random.default_rng(0).normal(40, 9, (5, 34, 40)).astype(np.float32)
    plain = Geometry.from_spacing(array.shape, (0.8, 0.8, 3))
    turned = Geometry.from_spacing(array.shape, (0.8, 0.8, 3), directions, (12, -7, 3))
    masks = []
    for geometry in (plain, turned):
        session = Session(model, Volume(array, geometry))
        session.add(Text("liver"))
        masks.append(session.predict().mask)
    assert masks[1].geometry == turned
    assert masks[0].array_kji.any() and np.array_equal(masks[0].array_kji, masks[1].array_kji)


def test_work_on_many_windows_can_be_cancelled_in_between(model: Any, volume: Volume) -> None:
    told: list[float] = []

    def cancel(fraction: float, phrase: str) -> None:
        told.append(fraction)
        if fraction > 0.5:
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        model.encode(volume, None, cancel)
    assert told == sorted(told) and told[-1] < 0.7


@pytest.fixture
def on_disk(tmp_path: Path, volume: Volume, folder: Path) -> list[str]:
    """The command's beginning."""
    volume.write(tmp_path / "ct.nii.gz")
    weights = write_decoder(tmp_path / "own.safetensors")
    base = write_checkpoint(tmp_path / "base.pth")
    return [
        *("segment", str(tmp_path / "ct.nii.gz"), "--model", "sam3d", "--weights", str(weights)),
        *("--option", f"base={base}", "--out", str(tmp_path / "seg.nii.gz")),
    ]


def test_without_prompts_every_class_is_segmented(
    on_disk: list[str], tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*on_disk, "--prompts-out", str(tmp_path / "asked.json")]) == 0
    printed = capsys.readouterr().out
    assert "liver" in printed and "spleen" in printed
    labels = Volume.read(tmp_path / "seg.nii.gz").array_kji
    assert set(np.unique(labels)) == {0, 1, 2}
    assert len(list((folder / "features").glob("*.npy"))) == 1
    assert main([*on_disk, "--prompts", str(tmp_path / "asked.json")]) == 0
    assert np.array_equal(Volume.read(tmp_path / "seg.nii.gz").array_kji, labels)
    assert main([*on_disk, "--text", "spleen", "--text", "liver"]) == 0
    turned = Volume.read(tmp_path / "seg.nii.gz").array_kji
    assert np.array_equal(turned, np.choose(labels, [0, 2, 1]))


def test_an_unknown_class_is_told_in_a_sentence(
    on_disk: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*on_disk, "--text", "heart"]) == 2
    assert (
        "The model sam3d has no class 'heart'; its classes are liver, spleen."
        in capsys.readouterr().err
    )


def test_a_model_without_classes_still_needs_prompts(
    on_disk: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    for model, advised in [("randomwalk", "--box, --point"), ("medical-sam3", "--text, --box")]:
        weights = on_disk[4:6] if model == "medical-sam3" else []
        assert main([*on_disk[:2], "--model", model, *weights, "--out", on_disk[-1]]) == 2
        assert f"There are no prompts; give at least one {advised}" in capsys.readouterr().err
