"""ENSAM on the CPU without torch: the shipped graphs compute what the network in torch does."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from MedSegFMLib.errors import Cancelled, ModelError, WeightsError
from MedSegFMLib.metrics import dice
from MedSegFMLib.models.ensam import onnx_runtime as ensam_onnx
from MedSegFMLib.models.ensam import openvino_runtime as ensam_openvino
from MedSegFMLib.models.ensam import weights as ensam_weights
from MedSegFMLib.models.ensam.graph_positions import Positions
from MedSegFMLib.models.ensam.graph_runtime import GraphRuntime
from MedSegFMLib.models.ensam.network.config import EnsamConfig, PositionKind
from MedSegFMLib.models.ensam.network.export import SHIPPED, export
from MedSegFMLib.models.ensam.network.graphs import graphs
from MedSegFMLib.models.ensam.network.network import Ensam
from MedSegFMLib.models.ensam.runtime import NetworkPrompts, Runtime
from MedSegFMLib.models.ensam.torch_runtime import TorchRuntime
from MedSegFMLib.progress import no_progress

CELLS = 24
KINDS = np.array([0, 1, 2, 3, 2, 0, 1])
NOISE = np.random.default_rng(0)
IMAGE = gaussian_filter(NOISE.random((CELLS,) * 3), 2).astype(np.float32) * 4 - 1.5
PREVIOUS = gaussian_filter(NOISE.normal(0, 30, (CELLS,) * 3), 2).astype(np.float32)


def save_random(path: Path, config: EnsamConfig) -> Path:
    torch.manual_seed(0)
    ensam_weights.save(Ensam(config), path)
    return path


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "random.safetensors"
    return save_random(path, replace(SHIPPED, cells=CELLS))


LOAD = {"openvino": ensam_openvino.load, "onnxruntime": ensam_onnx.load}


@pytest.fixture(scope="module", params=LOAD)
def by_graphs(request: pytest.FixtureRequest, weights: Path) -> GraphRuntime:
    """The graphs in each library that runs them."""
    return LOAD[request.param](weights)


def in_torch(weights: Path) -> TorchRuntime:
    return TorchRuntime(ensam_weights.load(weights), torch.device("cpu"))


def prompts(tokens: int) -> NetworkPrompts:
    """A box, then clicks, then another box; one token alone is a click."""
    positions = np.random.default_rng(1).integers(0, CELLS, (len(KINDS), 3)).astype(np.float32)
    first = slice(2, 3) if tokens == 1 else slice(tokens)
    return NetworkPrompts(KINDS[first], positions[first])


def answers(runtime: Runtime, tokens: int, previous: bool) -> np.ndarray:
    features = runtime.encode(IMAGE, (3.0, 1.0, 0.5), no_progress)
    return runtime.decode(features, prompts(tokens), PREVIOUS if previous else None, no_progress)


def assert_same(logits: np.ndarray, expected: np.ndarray, atol: float, least: float) -> None:
    np.testing.assert_allclose(logits, expected, atol=atol)
    # Random weights say "not the object" nearly everywhere.
    threshold = np.quantile(expected, 0.7)
    assert dice(expected > threshold, logits > threshold) >= least


@pytest.mark.parametrize("previous", [False, True])
@pytest.mark.parametrize("tokens", range(8))
def test_shipped_graphs_give_the_logits_of_the_network_in_torch(
    by_graphs: GraphRuntime, weights: Path, tokens: int, previous: bool
) -> None:
    expected = answers(in_torch(weights), tokens, previous)
    assert_same(answers(by_graphs, tokens, previous), expected, atol=1e-3, least=0.999)


def test_bfloat16_gives_nearly_the_logits_of_the_network_in_torch(weights: Path) -> None:
    expected = answers(in_torch(weights), 3, previous=True)
    logits = answers(ensam_openvino.load(weights, "bf16"), 3, previous=True)
    np.testing.assert_allclose(logits, expected, atol=0.1)


@pytest.mark.parametrize(
    ("skip", "positions", "dense", "changes"),
    [
        ("concat", "rope", True, {}),
        ("add", "liere", False, {"activation": "relu", "alpha": "ngpt"}),
    ],
)
def test_other_configurations_can_be_exported_and_the_shipped_one_anew(
    tmp_path: Path, skip: str, positions: str, dense: bool, changes: dict[str, Any]
) -> None:
    config = EnsamConfig(skip, positions, True, dense, CELLS, **changes)  # type: ignore[arg-type]
    files = export(config, tmp_path)
    path = save_random(tmp_path / "w.safetensors", config)
    for load in LOAD.values():
        runtime = load(path, files=files)
        for tokens in (0, 3):
            expected = answers(in_torch(path), tokens, previous=True)
            assert_same(answers(runtime, tokens, True), expected, atol=1e-3, least=0.999)


@pytest.mark.parametrize("changes", [{"native": True}, {"width": 8}, {"depth": 1}])
def test_networks_without_a_graph_are_run_in_torch(changes: dict[str, Any], tmp_path: Path) -> None:
    config = replace(SHIPPED, **changes)
    assert not graphs(config).are_shipped
    with pytest.raises(ModelError, match="run it in torch"):
        export(config, tmp_path)


@pytest.mark.parametrize("changes", [{"activation": "relu"}, {"alpha": "ngpt"}])
def test_the_graph_of_one_network_is_not_taken_for_another(changes: dict[str, Any]) -> None:
    assert graphs(SHIPPED).are_shipped and not graphs(replace(SHIPPED, **changes)).are_shipped


@pytest.mark.parametrize("kind", get_args(PositionKind))
def test_places_in_numpy_are_those_in_torch(kind: PositionKind) -> None:
    torch.manual_seed(0)
    network = Ensam(EnsamConfig(positions=kind))
    arrays = {name: t.numpy() for name, t in network.state_dict().items()}
    image = torch.zeros(1, 1, CELLS, CELLS, CELLS)
    with torch.inference_mode():
        features = network.encode(image)
    places = np.random.default_rng(0).random((5, 3), dtype=np.float32)
    for block, seen in enumerate(features.rotations):
        positions = Positions(kind, block, arrays)
        of_image = positions.of_image(CELLS, features.scale_kji.numpy()[0])
        np.testing.assert_allclose(of_image.reshape(seen.shape), seen.numpy(), atol=1e-4)
        with torch.inference_mode():
            expected = network.interactions[block].positions(torch.from_numpy(places)[None])
        np.testing.assert_allclose(positions.of_prompts(places), expected.numpy(), atol=1e-4)


def test_half_precision_weights_are_read_by_both(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    torch.manual_seed(0)
    ensam_weights.save(Ensam(replace(SHIPPED, cells=CELLS)), path, half=True)
    assert path.stat().st_size < 13_000_000
    expected = answers(in_torch(path), 5, previous=True)
    for load in LOAD.values():
        assert_same(answers(load(path), 5, True), expected, atol=1e-3, least=0.999)


def test_an_earlier_encoding_is_not_changed_by_a_later_one(by_graphs: GraphRuntime) -> None:
    first = by_graphs.encode(IMAGE, (1, 1, 1), no_progress)
    before = by_graphs.decode(first, prompts(3), None, no_progress)
    kept = before.copy()
    by_graphs.encode(1 - IMAGE, (1, 1, 1), no_progress)
    again = by_graphs.decode(first, prompts(3), None, no_progress)
    assert np.array_equal(before, kept) and np.array_equal(again, kept)
    assert first.nbytes > 4 * 16 * CELLS**3


def test_ctrl_c_is_heard_after_one_model_took_anothers_place(weights: Path) -> None:
    """With a core for each of two networks the signal would end the process."""
    code = """
import os, signal, sys
from pathlib import Path
from MedSegFMLib.models.ensam.openvino_runtime import load
signal.signal(signal.SIGINT, lambda *_: print("heard"))
one, other = (load(Path(sys.argv[1])) for _ in range(2))
del one
del other
os.kill(os.getpid(), signal.SIGINT)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(weights)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


def test_work_can_be_cancelled(by_graphs: GraphRuntime) -> None:
    def cancel(fraction: float, phrase: str) -> None:
        raise Cancelled("stopped")

    features = by_graphs.encode(IMAGE, (1, 1, 1), no_progress)
    with pytest.raises(Cancelled):
        by_graphs.encode(IMAGE, (1, 1, 1), cancel)
    with pytest.raises(Cancelled):
        by_graphs.decode(features, prompts(3), None, cancel)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = dict(Ensam(SHIPPED).state_dict())
    del tensors["interactions.0.positions.frequencies"]
    tensors["prompt_vectors"] = torch.zeros(4, 64)
    metadata = {"format": "medsegfm.ensam", "version": "1", "config": SHIPPED.to_json()}
    save_file(tensors, str(tmp_path / "w.safetensors"), metadata)
    for load in LOAD.values():
        with pytest.raises(WeightsError) as caught:
            load(tmp_path / "w.safetensors")
        assert "interactions.0.positions.frequencies is missing" in str(caught.value)
        assert "prompt_vectors is (4, 64) instead of (4, 128)" in str(caught.value)


@pytest.mark.parametrize("other", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_segmenting_needs_no_torch_and_reports_nothing(
    weights: Path, device: str, other: str
) -> None:
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys(('torch', 'onnx', {other!r})))\n"
        "import numpy as np\n"
        "from MedSegFMLib import Box, Geometry, Session, Volume, create\n"
        "array = np.random.default_rng(0).random((12, 20, 20), dtype=np.float32)\n"
        "volume = Volume(array, Geometry.from_spacing(array.shape))\n"
        f"session = Session(create('ensam', {device!r}, weights={str(weights)!r}), volume)\n"
        "session.add(Box.from_ijk(volume.geometry, (4, 4, 3), (15, 15, 9)))\n"
        "assert np.isfinite(session.predict().logits_kji).all()\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
