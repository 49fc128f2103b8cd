"""The patches of SAM3D, the features of SAM's encoder for them, and their files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sam3d_checkpoints import random_decoder
from sam_checkpoints import TINY, random_sam

from MedSegFMLib import Volume
from MedSegFMLib.errors import VolumeError
from MedSegFMLib.models.sam3d import model as sam3d
from MedSegFMLib.models.sam3d.decoding import class_scores
from MedSegFMLib.models.sam3d.encoder_features import embeddings
from MedSegFMLib.models.sam3d.feature_files import FeatureFiles
from MedSegFMLib.models.sam3d.patches import PatchGrid, ZScores, bell
from MedSegFMLib.progress import no_progress


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
