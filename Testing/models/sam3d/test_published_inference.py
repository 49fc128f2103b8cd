"""SAM3D as its authors apply it: several images, mirror images, other spacings and intensities."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sam3d_checkpoints import random_decoder, write_published

from MedSegFMLib import Geometry, Region, Session, Text, Volume, create
from MedSegFMLib.errors import ModelError, VolumeError
from MedSegFMLib.models.sam3d import weights as sam3d_weights
from MedSegFMLib.models.sam3d.encoder_features import embeddings
from MedSegFMLib.models.sam3d.model import open_base
from MedSegFMLib.models.sam3d.patches import PatchGrid, ZScores
from MedSegFMLib.models.sam3d.weights import Sam3dFacts
from MedSegFMLib.progress import no_progress
from MedSegFMLib.volumes.images import combined

SEQUENCES = ("t1", "t1ce", "t2", "flair")


def noise(seed: int, shape: tuple[int, int, int] = (5, 33, 40)) -> Volume:
    array = np.random.default_rng(seed).normal(40, 9, shape).astype(np.float32)
    return Volume(array, Geometry.from_spacing(shape, (0.8, 0.8, 3)))


def scores(weights: Path, base: Path, volume: Volume, **options: Any) -> np.ndarray:
    model = create("sam3d", "cpu", weights=weights, base=base, cache_bytes=0, **options)
    found: np.ndarray = model.encode(volume, None, no_progress).scores  # type: ignore[attr-defined]
    return found.astype(np.float32)


def test_a_published_decoder_of_four_images_sees_the_features_of_all(
    tmp_path: Path, base: Path
) -> None:
    weights = write_published(tmp_path / "brats.model", classes=4, modalities=4)
    images = {name: noise(n, (4, 32, 32)) for n, name in enumerate(SEQUENCES)}
    options = {"classes": "a,b,c", "patch": 32, "depth": 4}
    found = scores(weights, base, combined(images), **options)
    windows, known = PatchGrid.covering((4, 32, 32), 32, 4, 0.5), open_base(base, "cpu")
    features = [
        embeddings(
            known, v.array_kji, ZScores.from_volume(v.array_kji), windows, None, no_progress
        )[0]
        for v in images.values()
    ]
    taken = torch.from_numpy(np.concatenate(features, axis=1).astype(np.float32))
    with torch.no_grad():
        decoder = random_decoder(4, 4)
        expected = decoder(taken.transpose(0, 1)[None])[0].log_softmax(0)
    assert np.allclose(found, expected.numpy(), atol=2e-2)


def test_images_are_taken_by_the_names_of_the_training_in_its_order(
    tmp_path: Path, base: Path
) -> None:
    path = tmp_path / "own.safetensors"
    facts = Sam3dFacts(("tumour",), 32, 4, None, ("t1", "flair"))
    sam3d_weights.save(random_decoder(2, 2), facts, path)
    model = create("sam3d", "cpu", weights=path, base=base, cache_bytes=0)
    assert model.card.channels == ("t1", "flair")
    answers = []
    for order in (("t1", "flair"), ("flair", "t2", "t1")):
        volume = combined({name: noise(SEQUENCES.index(name)) for name in order})
        session = Session(model, volume)
        session.add(Text("tumour"))
        answers.append(session.predict().mask.array_kji)
    assert np.array_equal(*answers)
    with pytest.raises(VolumeError, match="flair"):
        Session(model, noise(0))


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_the_mean_of_all_mirror_images_is_the_same_in_a_mirror(
    decoder: Path, base: Path, axis: int
) -> None:
    volume = noise(0)
    mirrored = volume.with_array(np.ascontiguousarray(np.flip(volume.array_kji, axis)))
    found = scores(decoder, base, volume, mirrors="all")
    back = np.flip(scores(decoder, base, mirrored, mirrors="all"), 1 + axis)
    assert np.allclose(np.exp(found), np.exp(back), atol=4e-3)
    plain = scores(decoder, base, volume)
    alone = np.flip(scores(decoder, base, mirrored), 1 + axis)
    assert not np.allclose(np.exp(plain), np.exp(alone), atol=4e-2)


def test_slices_in_either_order_need_no_further_encoding(
    decoder: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from MedSegFMLib.models.sam3d import volume_scores

    encoded = []

    def counting(*arguments: Any) -> Any:
        encoded.append(arguments[1].shape)
        return embeddings(*arguments)

    monkeypatch.setattr(volume_scores, "embeddings", counting)
    volume = noise(0)
    both = np.exp(scores(decoder, base, volume, mirrors="slices"))
    reverse = volume.with_array(np.ascontiguousarray(volume.array_kji[::-1]))
    assert len(encoded) == 1
    mean = (
        np.exp(scores(decoder, base, volume)) + np.exp(scores(decoder, base, reverse))[:, ::-1]
    ) / 2
    assert np.allclose(both, mean, atol=4e-3)


def test_volumes_are_resampled_to_a_spacing_and_answers_back(decoder: Path, base: Path) -> None:
    volume = noise(0, (6, 64, 64))
    same = scores(decoder, base, volume, spacing="0.8,0.8,3")
    assert np.array_equal(same, scores(decoder, base, volume))
    coarse = scores(decoder, base, volume, spacing="1.6,1.6,3")
    assert coarse.shape == (3, 6, 64, 64)
    assert not np.allclose(coarse, same, atol=0.1)
    # Twice as coarse within slices: neighbours of two are nearly equal.
    steps = np.abs(np.diff(coarse[0], axis=2)).mean()
    assert steps < 0.8 * np.abs(np.diff(same[0], axis=2)).mean()


def test_intensities_are_limited_and_scored_as_in_training(decoder: Path, base: Path) -> None:
    volume = noise(0)
    limited = volume.with_array(np.clip(volume.array_kji, 30, 50))
    found = scores(decoder, base, volume, clip="30,50")
    assert np.array_equal(found, scores(decoder, base, limited))
    mean, deviation = float(volume.array_kji.mean()), float(volume.array_kji.std())
    own = scores(decoder, base, volume)
    assert np.allclose(own, scores(decoder, base, volume, scores=f"{mean},{deviation}"), atol=3e-2)
    assert not np.allclose(own, scores(decoder, base, volume, scores="0,1"), atol=3e-2)


def test_a_part_of_a_volume_has_the_z_scores_of_the_whole(decoder: Path, base: Path) -> None:
    volume = noise(0, (4, 32, 70))
    bright = volume.with_array(volume.array_kji + 300 * (np.arange(70) > 40).astype(np.float32))
    model = create("sam3d", "cpu", weights=decoder, base=base, cache_bytes=0)
    part = Region((0, 0, 0), (4, 32, 32))
    found = model.encode(bright, part, no_progress).scores  # type: ignore[attr-defined]
    whole = ZScores.from_volume(bright.array_kji)
    alone = scores(decoder, base, bright.crop(part), scores=f"{whole.mean!r},{whole.deviation!r}")
    assert np.allclose(found.astype(np.float32), alone, atol=1e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"spacing": "1,1"}, "give 3 numbers"),
        ({"spacing": "1,0,1"}, "above 0"),
        ({"clip": "240,-160"}, "lowest intensity first"),
        ({"clip": "low,high"}, "give 2 numbers"),
        ({"scores": "0,0"}, "deviation above 0"),
        ({"scores": "nan,1"}, "give 2 numbers"),
        ({"mirrors": "yes"}, "give no, slices or all"),
    ],
    ids=lambda value: next(iter(value.items()))[1] if isinstance(value, dict) else "",
)
def test_options_that_cannot_be_are_refused_in_a_sentence(
    decoder: Path, base: Path, options: dict[str, str], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        create("sam3d", "cpu", weights=decoder, base=base, **options)


def test_decoders_without_shortcuts_are_known_by_their_weights(tmp_path: Path, base: Path) -> None:
    from MedSegFMLib.models.sam3d.config import Sam3dConfig
    from MedSegFMLib.models.sam3d.network import Sam3dDecoder

    plain = Sam3dDecoder(Sam3dConfig(3, shortcuts=False))
    path = tmp_path / "plain.safetensors"
    sam3d_weights.save(plain, Sam3dFacts(("liver", "spleen"), 32, 4), path)
    assert sam3d_weights.load(path).config == plain.config
    assert scores(path, base, noise(0)).shape == (3, 5, 33, 40)
