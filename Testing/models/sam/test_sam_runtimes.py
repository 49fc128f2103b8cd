"""SAM's network by torch and by OpenVINO: the same answers, and graphs kept beside the weights."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from sam_checkpoints import TINY, random_sam, tiny_is_published, write_checkpoint

from MedSegFMLib.errors import Cancelled, DeviceError
from MedSegFMLib.models.sam import loading, openvino_graphs
from MedSegFMLib.models.sam import torch_runtime as sam_torch
from MedSegFMLib.models.sam import weights as sam_weights
from MedSegFMLib.models.sam.openvino_runtime import OpenVinoSamRuntime
from MedSegFMLib.models.sam.runtime import SamRuntime, SliceEmbedding, SlicePrompt
from MedSegFMLib.models.sam.torch_runtime import TorchSamRuntime
from MedSegFMLib.progress import no_progress
from MedSegFMLib.weights import installing
from MedSegFMLib.weights.checksums import derived_files

SIZE = (96, 64)
IMAGES = np.random.default_rng(0).standard_normal((4, 3, *SIZE), dtype=np.float32)
PROMPTS = [
    SlicePrompt((3, 4, 50, 60)),
    SlicePrompt(points=((20, 30, True),)),
    SlicePrompt((10, 12, 40, 70)),
    SlicePrompt((3, 4, 50, 60), ((20, 30, False),)),
]


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    threads, known = torch.get_num_threads(), os.environ.get("OMP_NUM_THREADS")
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    yield
    torch.set_num_threads(threads)
    os.environ.pop("OMP_NUM_THREADS")
    if known is not None:
        os.environ["OMP_NUM_THREADS"] = known


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("sam") / "sam.pth")


@pytest.fixture(scope="module")
def by_openvino(checkpoint: Path) -> SamRuntime:
    with tiny_is_published():
        runtime = loading.load(checkpoint, "cpu")
    assert isinstance(runtime, OpenVinoSamRuntime)
    return runtime


@pytest.fixture(scope="module")
def by_torch() -> TorchSamRuntime:
    return TorchSamRuntime(random_sam(), torch.device("cpu"))


@pytest.fixture(params=["torch", "openvino"])
def runtime(
    request: pytest.FixtureRequest, by_torch: SamRuntime, by_openvino: SamRuntime
) -> SamRuntime:
    return by_torch if request.param == "torch" else by_openvino


def test_both_give_the_same_logits(by_torch: SamRuntime, by_openvino: SamRuntime) -> None:
    assert by_torch.config == by_openvino.config == TINY
    expected = by_torch.decode(by_torch.encode(IMAGES, no_progress), PROMPTS, SIZE)
    found = by_openvino.decode(by_openvino.encode(IMAGES, no_progress), PROMPTS, SIZE)
    for logits, other in zip(found, expected, strict=True):
        assert logits.shape == (SIZE[0] // 4, SIZE[1] // 4) and logits.dtype == np.float32
        assert np.ptp(other) > 0.05
        np.testing.assert_allclose(logits, other, atol=1e-3)


def test_both_give_the_same_features_at_1024(by_torch: SamRuntime, by_openvino: SamRuntime) -> None:
    image = np.random.default_rng(1).standard_normal((1, 3, 1024, 1024), dtype=np.float32)
    (expected,) = by_torch.encode(image, no_progress)
    (found,) = by_openvino.encode(image, no_progress)
    assert found.shape == (256, 64, 64) and expected.std() > 0.1
    np.testing.assert_allclose(found, expected, atol=1e-3)
    kept = found.copy()
    by_openvino.encode(-image, no_progress)
    assert np.array_equal(found, kept)


def test_slices_together_are_answered_as_alone(runtime: SamRuntime) -> None:
    features = runtime.encode(IMAGES, no_progress)
    together = runtime.decode(features, PROMPTS, SIZE)
    for feature, prompt, logits in zip(features, PROMPTS, together, strict=True):
        (alone,) = runtime.decode([feature], [prompt], SIZE)
        np.testing.assert_allclose(logits, alone, atol=1e-5)


def test_features_kept_in_16_bits_are_good_enough(runtime: SamRuntime) -> None:
    features = runtime.encode(IMAGES, no_progress)
    kept = [SliceEmbedding(feature.astype(np.float16)) for feature in features]
    assert kept[0].nbytes == 2 * 256 * 6 * 4
    found = runtime.decode([item.features for item in kept], PROMPTS, SIZE)
    for logits, other in zip(found, runtime.decode(features, PROMPTS, SIZE), strict=True):
        np.testing.assert_allclose(logits, other, atol=5e-3)


def test_nothing_asked_is_nothing_answered(runtime: SamRuntime) -> None:
    assert runtime.decode([], [], SIZE) == []
    assert runtime.encode(IMAGES[:0], no_progress) == []


def test_a_single_point_gets_the_mask_that_the_network_thinks_best(
    runtime: SamRuntime, by_torch: TorchSamRuntime
) -> None:
    network = random_sam()
    features = by_torch.encode(IMAGES, no_progress)
    positive = torch.ones(1, 1, dtype=torch.bool)
    best = set()
    for feature in features:
        for x in range(4, 64, 8):
            (logits,) = runtime.decode([feature], [SlicePrompt(points=((x, 50, True),))], SIZE)
            with torch.inference_mode():
                tokens = network.prompt_tokens(None, torch.tensor([[[x, 50.0]]]), positive, SIZE)
                places = network.image_positions(6, 4)
                masks, said = network.decoder(torch.from_numpy(feature)[None], places, tokens)
            best.add(int(said[0, 1:].argmax()))
            np.testing.assert_allclose(logits, masks[0, 1 + said[0, 1:].argmax()], atol=1e-4)
    assert best <= {0, 1, 2}


def test_work_can_be_cancelled_between_batches(
    by_torch: TorchSamRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(by_torch, "_patches", 2 * 24)
    told: list[float] = []

    def cancel(fraction: float, phrase: str) -> None:
        told.append(fraction)
        if fraction == 0.5:
            raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        by_torch.encode(IMAGES, cancel)
    assert told == [0.0, 0.5]


def test_a_gpu_without_memory_gets_smaller_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = TorchSamRuntime(random_sam(), torch.device("cpu"))
    expected = runtime.encode(IMAGES, no_progress)
    tried: list[int] = []
    compute = runtime._encoded

    def small(images: np.ndarray) -> np.ndarray:
        tried.append(len(images))
        if len(images) > most:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return compute(images)

    monkeypatch.setattr(runtime, "_encoded", small)
    most = 1
    found = runtime.encode(IMAGES, no_progress)
    assert tried == [4, 2, 1, 1, 1, 1]
    np.testing.assert_allclose(found, expected, atol=1e-5)
    most = 0
    with pytest.raises(DeviceError, match="The GPU has not enough memory for the model sam"):
        runtime.encode(IMAGES, no_progress)


@pytest.mark.gpu
def test_a_gpu_gives_nearly_the_same(by_torch: TorchSamRuntime) -> None:
    runtime = TorchSamRuntime(random_sam(), torch.device("cuda"))
    expected = by_torch.decode(by_torch.encode(IMAGES, no_progress), PROMPTS, SIZE)
    found = runtime.decode(runtime.encode(IMAGES, no_progress), PROMPTS, SIZE)
    for logits, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(logits, other, atol=0.05)


def source_of(path: Path) -> openvino_graphs.Source:
    return openvino_graphs.Source(path, openvino_graphs.sha256_of(path))


def prepared(path: Path) -> list[str]:
    """What the decoder's preparation said, for the weights in a file."""
    said: list[str] = []
    decoder = sam_weights.load(path, TINY).decoder
    openvino_graphs.decoder_graph(decoder, source_of(path), lambda _, phrase: said.append(phrase))
    return said


def test_graphs_are_made_once_for_each_weights(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "sam.pth")
    assert set(prepared(path)) == {"Preparing the network for this computer (once)"}
    kept = derived_files(path)
    digest = source_of(path).sha256[:8]
    assert {file.name for file in kept} == {
        f"sam.pth.{digest}.graph.decoder-1.{end}"
        for end in ("xml", "bin", "xml.sha256", "bin.sha256")
    }
    assert prepared(path) == []
    write_checkpoint(path, seed=1)
    assert prepared(path) and not set(kept) & set(derived_files(path))
    assert len(derived_files(path)) == 4


@pytest.mark.parametrize("end", [".xml", ".bin"])
def test_a_damaged_graph_is_made_again(checkpoint: Path, tmp_path: Path, end: str) -> None:
    path = write_checkpoint(tmp_path / "sam.pth")
    prepared(path)
    (file,) = (file for file in derived_files(path) if file.suffix == end)
    file.write_bytes(file.read_bytes()[:-100])
    assert prepared(path)
    assert prepared(path) == []


def test_a_folder_that_cannot_be_written_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_checkpoint(tmp_path / "sam.pth")

    def refused(**_: object) -> None:
        raise PermissionError("read-only")

    monkeypatch.setattr(openvino_graphs.tempfile, "TemporaryDirectory", refused)
    assert prepared(path)
    assert [file.name for file in tmp_path.iterdir()] == ["sam.pth"]


def test_removing_weights_takes_their_graphs_along(
    tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path))
    path = installing.import_file("medsam", checkpoint)
    prepared(path)
    installing.remove("medsam")
    assert list(tmp_path.iterdir()) == []


def test_without_openvino_torch_does_it(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    with tiny_is_published():
        assert type(loading.load(checkpoint, "cpu")) is sam_torch.TorchSamRuntime
