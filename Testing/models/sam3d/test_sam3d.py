"""SAM3D: its decoder by the numbers, its checkpoints, its windows, and what it says of volumes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sam3d_checkpoints import CLASSES, random_decoder, write_decoder, write_published
from sam_checkpoints import TINY, random_sam, tiny_is_published, write_checkpoint
from sample_volumes import make_blob
from torch.nn import functional

from MedSegFMLib import Box, Geometry, Session, Text, Volume, create
from MedSegFMLib.cli import main
from MedSegFMLib.errors import (
    Cancelled,
    ModelError,
    PromptError,
    VolumeError,
    WeightsError,
)
from MedSegFMLib.models.sam3d import model as sam3d
from MedSegFMLib.models.sam3d import weights as sam3d_weights
from MedSegFMLib.models.sam3d.config import Sam3dConfig
from MedSegFMLib.models.sam3d.decoding import class_scores
from MedSegFMLib.models.sam3d.encoder_features import embeddings
from MedSegFMLib.models.sam3d.feature_files import FeatureFiles
from MedSegFMLib.models.sam3d.network import decoder_on_meta
from MedSegFMLib.models.sam3d.patches import PatchGrid, ZScores, bell
from MedSegFMLib.models.sam3d.weights import Sam3dFacts, read_facts
from MedSegFMLib.progress import no_progress
from MedSegFMLib.volumes.images import combined
from MedSegFMLib.weights import installing
from MedSegFMLib.weights.checksums import record


@pytest.fixture(autouse=True)
def tiny_base() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with tiny_is_published():
        yield
    torch.set_num_threads(threads)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_checkpoint(tmp_path / "sam.pth")


@pytest.fixture
def decoder(tmp_path: Path) -> Path:
    return write_decoder(tmp_path / "sam3d.safetensors")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's folder."""
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    monkeypatch.setenv("MEDSEGFM_NO_CACHE", "")
    return tmp_path / "store"


@pytest.fixture
def volume() -> Volume:
    """Wider than a patch, and deeper."""
    array = np.random.default_rng(0).normal(40, 9, (7, 41, 56)).astype(np.float32)
    return Volume(array, Geometry.from_spacing(array.shape, (0.8, 0.8, 3)))


# The network


@pytest.mark.parametrize(
    ("classes", "modalities", "count"),
    [(4, 1, 1_879_668), (14, 1, 1_880_258), (4, 4, 4_632_180)],
)
def test_the_decoder_has_the_published_number_of_parameters(
    classes: int, modalities: int, count: int
) -> None:
    network = decoder_on_meta(Sam3dConfig(classes, modalities))
    assert sum(p.numel() for p in network.parameters()) == count


def test_each_block_has_the_published_number_of_parameters() -> None:
    network = decoder_on_meta(Sam3dConfig(4))
    counts = {n: sum(p.numel() for p in m.parameters()) for n, m in network.named_children()}
    assert counts == {
        "decoder5": 1_360_256,
        "decoder4": 340_160,
        "decoder3": 85_088,
        "decoder2": 21_296,
        "out1": 3_500,
        "out2": 13_908,
        "out3": 55_460,
    }


def test_answers_keep_the_slices_and_come_in_three_sizes() -> None:
    features = torch.randn(2, 256, 3, 2, 4)
    network = random_decoder()
    shapes = [tuple(answer.shape) for answer in network.supervised(features)]
    assert shapes == [(2, 3, 3, 32, 64), (2, 3, 3, 16, 32), (2, 3, 3, 8, 16)]
    assert torch.equal(network(features), network.supervised(features)[0])


def test_a_block_is_what_the_paper_draws() -> None:
    network = random_decoder()
    features = torch.randn(1, 256, 2, 3, 3)
    block = network.get_submodule("decoder5")
    state = {name: p for name, p in block.named_parameters()}

    def convolved(x: torch.Tensor, name: str, pad: int) -> torch.Tensor:
        made = functional.conv3d(x, state[f"{name}.0.weight"], state[f"{name}.0.bias"], padding=pad)
        return (made - made.mean((2, 3, 4), True)) / (
            made.var((2, 3, 4), False, True) + 1e-5
        ).sqrt()

    inner = functional.leaky_relu(convolved(features, "conv1", 1), 0.01)
    both = convolved(inner, "conv2", 1) + convolved(features, "downsample", 0)
    expected = functional.leaky_relu(both, 0.01).repeat_interleave(2, 3).repeat_interleave(2, 4)
    assert torch.allclose(block(features), expected, atol=1e-5)


# Checkpoints


@pytest.mark.parametrize("holder", ["state_dict", "network_weights", "model"])
def test_published_checkpoints_are_read(tmp_path: Path, holder: str) -> None:
    path = write_published(tmp_path / "model_final.model", holder, classes=4)
    network = sam3d_weights.load(path)
    assert network.config == Sam3dConfig(4) and not network.training
    expected = random_decoder(4).state_dict()
    assert all(torch.equal(t, expected[n]) for n, t in network.state_dict().items())
    assert read_facts(path) is None


def test_a_bare_state_dict_from_several_gpus_is_read(tmp_path: Path) -> None:
    state = {f"module.{n}": t.half() for n, t in random_decoder().state_dict().items()}
    torch.save(state, tmp_path / "parallel.pth")
    network = sam3d_weights.load(tmp_path / "parallel.pth")
    assert {t.dtype for t in network.state_dict().values()} == {torch.float32}


def test_missing_unknown_and_misshapen_tensors_are_named(tmp_path: Path) -> None:
    state = random_decoder().state_dict()
    del state["decoder3.conv2.0.bias"]
    state["out2.segmentation_head.weight"] = torch.zeros(9, 16, 1, 1, 1)
    state["image_encoder.pos_embed"] = torch.zeros(3)
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(WeightsError) as caught:
        sam3d_weights.load(tmp_path / "odd.pth")
    assert "decoder3.conv2.0.bias is missing" in str(caught.value)
    assert "image_encoder.pos_embed is unknown" in str(caught.value)
    assert "out2.segmentation_head.weight is (9, 16, 1, 1, 1) instead of (3," in str(caught.value)


def test_another_network_is_refused(base: Path) -> None:
    with pytest.raises(WeightsError, match="does not contain a decoder of SAM3D"):
        sam3d_weights.load(base)


def test_what_training_wrote_tells_what_it_is(decoder: Path) -> None:
    facts = read_facts(decoder)
    assert facts == Sam3dFacts(CLASSES, patch=32, depth=4)
    decoder.write_bytes(decoder.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="truncated"):
        read_facts(decoder)


def test_weights_of_another_model_of_ours_are_refused(weights: Path, base: Path) -> None:
    with pytest.raises(WeightsError):
        create("sam3d", "cpu", weights=weights, base=base)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"patch": 16}, "multiple of 16 from 32"),
        ({"patch": 100}, "100 pixels wide"),
        ({"depth": 0}, "0 slices deep"),
        ({"classes": ("liver", " ")}, "has no name"),
        ({"classes": ("liver", "Liver")}, "are called liver"),
    ],
)
def test_facts_that_cannot_be_are_refused(facts: dict[str, Any], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        Sam3dFacts(**{"classes": CLASSES, "patch": 32, "depth": 4, **facts})


# Options


def test_a_published_checkpoint_is_told_its_classes_and_patch(tmp_path: Path, base: Path) -> None:
    path = write_published(tmp_path / "acdc.model", classes=4)
    given: dict[str, Any] = {"weights": path, "base": base, "cache_bytes": 0}
    with pytest.raises(ModelError, match="for which classes, patch, depth it was trained"):
        create("sam3d", "cpu", **given)
    given |= {"patch": "32", "depth": "4"}
    with pytest.raises(ModelError, match=r"3 classes .* but 2 are named \(rv, lv\)"):
        create("sam3d", "cpu", classes="rv,lv", **given)
    model = create("sam3d", "cpu", classes="RV, myocardium,LV", **given)
    assert model.classes == ("RV", "myocardium", "LV")


def test_weights_that_tell_their_classes_take_no_others(decoder: Path, base: Path) -> None:
    with pytest.raises(ModelError, match="specifies its own patch; leave out patch="):
        create("sam3d", "cpu", weights=decoder, base=base, patch=64)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"overlap": "1"}, "overlap is 1"),
        ({"overlap": "half"}, "overlap is half"),
        ({"cache_bytes": "-3"}, "cache_bytes is '-3'"),
    ],
)
def test_options_that_cannot_be_are_refused(
    decoder: Path, base: Path, option: dict[str, str], words: str
) -> None:
    with pytest.raises(ModelError, match=words):
        create("sam3d", "cpu", weights=decoder, base=base, **option)


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


def test_a_wrong_or_missing_or_altered_base_is_refused(
    tmp_path: Path, base: Path, folder: Path
) -> None:
    path = write_decoder(tmp_path / "own.safetensors", base_sha256="0" * 64)
    with pytest.raises(WeightsError, match=r"was trained on the SAM with the SHA-256 0000"):
        create("sam3d", "cpu", weights=path, base=base)
    with pytest.raises(WeightsError, match="run 'medsegfm weights fetch sam' or"):
        create("sam3d", "cpu", weights=path)
    record(base, "0" * 64)
    with pytest.raises(WeightsError, match="modified or damaged"):
        create("sam3d", "cpu", weights=path, base=base)


def test_weights_of_the_store_are_used(decoder: Path, base: Path, folder: Path) -> None:
    with pytest.raises(WeightsError, match=r"get them from https://github\.com/UARK-AICV/SAM3D"):
        create("sam3d", "cpu", base=base)
    installing.import_file("sam3d", decoder)
    assert create("sam3d", "cpu", base=base).classes == CLASSES


# Windows and intensities


@pytest.mark.parametrize("shape", [(7, 41, 56), (1, 3, 3), (4, 32, 32), (20, 100, 33)])
@pytest.mark.parametrize("overlap", [0.0, 0.5])
def test_every_voxel_is_in_a_patch(shape: tuple[int, int, int], overlap: float) -> None:
    windows = PatchGrid.covering(shape, 32, 4, overlap)
    padded = [n + sum(more) for n, more in zip(shape, windows.padding, strict=True)]
    seen = np.zeros(padded, int)
    for k in windows.slices:
        for j, i in windows.corners:
            assert k + 4 <= padded[0] and j + 32 <= padded[1] and i + 32 <= padded[2]
            seen[k : k + 4, j : j + 32, i : i + 32] += 1
    assert seen.min() >= 1
    if overlap and shape[1] > 32:
        rows = sorted({j for j, _ in windows.corners})
        assert max(np.diff(rows)) <= 16


def test_a_patch_weighs_as_in_nnunet() -> None:
    weights = bell((4, 32, 32))
    # Four deviations along each axis, from voxel 16 of 0 to 31.
    assert weights[2, 16, 16] == 1 and weights.min() == pytest.approx(np.exp(-8) ** 3, rel=1e-5)
    # An eighth of the side from the middle is one deviation.
    row = bell((1, 1, 33))[0, 0]
    assert row[16] == 1 and row[16 + 4] == pytest.approx(np.exp(-((4 / (33 / 8)) ** 2) / 2))


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32", "float64"])
def test_z_scores_are_those_of_the_whole_volume(dtype: str) -> None:
    array = np.random.default_rng(1).integers(0, 200, (5, 6, 7)).astype(dtype)
    scored = ZScores.from_volume(array).standardise(array[:2])
    assert scored.dtype == np.float32
    expected = (array.astype(float) - array.astype(float).mean()) / array.astype(float).std()
    assert np.allclose(scored, expected[:2], atol=1e-5)


def test_nan_is_refused() -> None:
    with pytest.raises(VolumeError, match="The volume contains NaN"):
        ZScores.from_volume(np.array([[[0.0, np.nan]]]))


# Features


def opened(path: Path) -> sam3d.Base:
    return sam3d.open_base(path, "cpu")


def test_features_are_those_of_sams_encoder_at_patch_size(base: Path, volume: Volume) -> None:
    array, scores = volume.array_kji, ZScores.from_volume(volume.array_kji)
    windows = PatchGrid.covering((7, 41, 56), 32, 4, 0.5)
    found = embeddings(opened(base), array, scores, windows, None, no_progress)
    assert found.shape == (len(windows.corners), 7, 256, 2, 2) and found.dtype == np.float16
    row, column = windows.corners[-1]
    picture = scores.standardise(array)[3, row : row + 32, column : column + 32]
    network = random_sam(TINY)
    with torch.no_grad():
        shown = torch.from_numpy(picture).expand(1, 3, -1, -1)
        expected = network.encoder(shown)[0].numpy()
    assert np.allclose(found[-1, 3], expected, atol=4e-3)


def test_features_are_looked_up_on_disk(tmp_path: Path, base: Path, volume: Volume) -> None:
    files = FeatureFiles(tmp_path / "features", 1 << 30)
    windows = PatchGrid.covering((7, 41, 56), 32, 4, 0.5)
    array, scores, known = volume.array_kji, ZScores.from_volume(volume.array_kji), opened(base)
    first = embeddings(known, array, scores, windows, files, no_progress)
    (kept,) = (tmp_path / "features").glob("*.npy")

    class Broken:
        config = TINY

        def encode(self, *arguments: Any) -> Any:
            raise AssertionError("the slices are looked at again")

    again = sam3d.Base(Broken(), known.sha256, known.device)  # type: ignore[arg-type]
    assert np.array_equal(
        embeddings(again, array, scores, windows, files, no_progress), np.array(first)
    )
    # Whatever the features depend on makes others.
    for other in (
        (sam3d.Base(Broken(), "1" * 64, "cpu"), array, scores, windows),  # type: ignore[arg-type]
        (again, array + 1, scores, windows),
        (again, array, ZScores(0.0, 1.0), windows),
        (again, array, scores, PatchGrid.covering((7, 41, 56), 32, 4, 0.0)),
    ):
        with pytest.raises(AssertionError, match="looked at again"):
            embeddings(*other, files, no_progress)
    del first
    kept.write_bytes(kept.read_bytes()[:-5])
    assert files.get(kept.stem, (1, 2)) is None and not kept.exists()


def test_files_stay_within_their_bytes_and_the_oldest_goes(tmp_path: Path) -> None:
    files = FeatureFiles(tmp_path, 3000)
    features = np.ones((2, 100), np.float16)
    for number, key in enumerate("abcd"):
        assert files.put(key, (2, 2, 100), [features, features])
        os.utime(tmp_path / f"{key}.npy", (number, number))
        # Used again and again, a is never the oldest.
        assert files.get("a", (2, 2, 100)) is not None
    assert sorted(path.stem for path in tmp_path.glob("*.npy")) == ["a", "c", "d"]
    assert not files.put("large", (2, 2, 1000), [])
    assert not (tmp_path / "large.npy").exists()


def test_features_without_a_folder_are_kept_in_memory(
    tmp_path: Path, base: Path, volume: Volume, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    files = FeatureFiles(tmp_path / "file", 1 << 30)
    windows = PatchGrid.covering((7, 41, 56), 32, 4, 0.0)
    array, scores = volume.array_kji, ZScores.from_volume(volume.array_kji)
    found = embeddings(opened(base), array, scores, windows, files, no_progress)
    assert found.shape[0] == len(windows.corners)
    assert "not stored on disk" in caplog.text


# Inference


def test_a_single_patch_is_the_decoders_own_answer() -> None:
    network, windows = random_decoder(), PatchGrid.covering((4, 32, 32), 32, 4, 0.5)
    features = np.random.default_rng(0).normal(size=(1, 4, 256, 2, 2)).astype(np.float16)
    scores = class_scores(network, [features], windows, (4, 32, 32), no_progress)
    with torch.no_grad():
        seen = torch.from_numpy(features[0].astype(np.float32)).transpose(0, 1)[None]
        expected = network(seen)[0].log_softmax(0).numpy()
    assert np.allclose(scores, expected, atol=5e-3)


def test_overlapping_patches_are_averaged_under_the_bell() -> None:
    network, shape = random_decoder(), (6, 40, 50)
    windows = PatchGrid.covering(shape, 32, 4, 0.5)
    rng = np.random.default_rng(0)
    features = rng.normal(size=(len(windows.corners), 6, 256, 2, 2)).astype(np.float16)
    scores = class_scores(network, [features], windows, shape, no_progress)
    sums, total, weights = np.zeros((3, *shape)), np.zeros(shape), bell((4, 32, 32))
    for k in windows.slices:
        for number, (j, i) in enumerate(windows.corners):
            part = features[number, k : k + 4].astype(np.float32)
            with torch.no_grad():
                likely = network(torch.from_numpy(part).transpose(0, 1)[None])[0].softmax(0).numpy()
            here = (slice(k, k + 4), slice(j, j + 32), slice(i, i + 32))
            sums[(slice(None), *here)] += likely * weights
            total[here] += weights
    assert np.allclose(scores, np.log(sums / total), atol=5e-3)


def test_padding_is_taken_off_where_it_was_put_on() -> None:
    network, shape = random_decoder(), (2, 20, 25)
    windows = PatchGrid.covering(shape, 32, 4, 0.5)
    features = np.random.default_rng(0).normal(size=(1, 4, 256, 2, 2)).astype(np.float16)
    small = class_scores(network, [features], windows, shape, no_progress)
    whole = PatchGrid.covering((4, 32, 32), 32, 4, 0.5)
    large = class_scores(network, [features], whole, (4, 32, 32), no_progress)
    assert np.array_equal(small, large[:, 1:3, 6:26, 3:28])


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


# The command


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
