"""Loading ENSAM: weights that are refused, the library that computes, devices, full memory."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from ensam_echo import noise_volume, predict

from MedSegFMLib.errors import DeviceError, ModelError, WeightsError
from MedSegFMLib.models.ensam import model as ensam
from MedSegFMLib.models.ensam import weights as ensam_weights
from MedSegFMLib.models.ensam.network.config import EnsamConfig
from MedSegFMLib.models.ensam.network.network import Ensam
from MedSegFMLib.progress import no_progress
from MedSegFMLib.prompts.types import Box, Point
from MedSegFMLib.registry import create
from MedSegFMLib.system import device
from MedSegFMLib.system.device import choose_device, memory_errors
from MedSegFMLib.volumes.region import Region

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def empty_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    return tmp_path / "store"


def test_importing_the_adapter_needs_numpy_alone() -> None:
    code = (
        "import sys, MedSegFMLib.models.ensam.model as m\n"
        "assert m.CARD.name == 'ensam'\n"
        "heavy = {'torch', 'safetensors', 'scipy', 'SimpleITK'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_random_weights_segment_through_the_real_loading_path(weights: Path) -> None:
    volume = noise_volume((13, 30, 21))
    model = ensam.create("cpu", weights)
    box = Box.from_ijk(volume.geometry, (3, 4, 2), (15, 20, 10))
    region = Region((1, 2, 0), (13, 28, 20))
    encoding = model.encode(volume, region, no_progress)
    first = model.predict(encoding, [box], None, no_progress)
    assert first.region == region and first.logits_kji.dtype == np.float32
    assert first.geometry is volume.geometry and encoding.nbytes > 0
    click = Point.from_ijk(volume.geometry, (8, 9, 5))
    second = model.predict(encoding, [box, click], first, no_progress)
    alone = model.predict(encoding, [box, click], None, no_progress)
    assert np.abs(second.logits_kji - alone.logits_kji).max() > 1e-3
    again = predict(ensam.create("cpu", weights), volume, [box], region)
    assert np.array_equal(again.logits_kji, first.logits_kji)


def test_configuration_travels_with_the_weights(tmp_path: Path) -> None:
    config = EnsamConfig("add", "rope", True)
    ensam_weights.save(Ensam(config), tmp_path / "w.safetensors")
    assert ensam_weights.load(tmp_path / "w.safetensors").config == config


def test_missing_weights_name_the_ways_out(
    empty_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("MedSegFMLib.weights.store._PACKAGE", empty_store)
    with pytest.raises(
        WeightsError, match=r"weights import ensam FILE.*--weights FILE.*randomwalk"
    ):
        ensam.create("cpu")


def test_imported_weights_are_found_and_checked(empty_store: Path, weights: Path) -> None:
    from MedSegFMLib.weights import installing

    path = installing.import_file("ensam", weights)
    assert ensam.create("cpu").card is ensam.CARD
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match="has the SHA-256"):
        ensam.create("cpu")


def test_absent_weights_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.safetensors does not exist"):
        ensam.create("cpu", tmp_path / "none.safetensors")


def test_truncated_weights_are_refused(tmp_path: Path, weights: Path) -> None:
    path = tmp_path / "half.safetensors"
    path.write_bytes(weights.read_bytes()[:100_000])
    with pytest.raises(WeightsError, match="truncated"):
        ensam.create("cpu", path)


def test_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("These are no weights, but a text that is long enough.")
    with pytest.raises(WeightsError, match="not a complete safetensors file"):
        ensam.create("cpu", path)


def test_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(3)}, str(tmp_path / "w.safetensors"))
    with pytest.raises(WeightsError, match="holds another network"):
        ensam.create("cpu", tmp_path / "w.safetensors")


def test_mismatching_tensors_are_named(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    tensors = dict(Ensam().state_dict())
    tensors["extra"] = torch.zeros(2)
    del tensors["decoder.head.bias"]
    tensors["prompt_vectors"] = torch.zeros(4, 64)
    metadata = {"format": "medsegfm.ensam", "version": "1", "config": EnsamConfig().to_json()}
    path = tmp_path / "w.safetensors"
    save_file(tensors, str(path), metadata)
    with pytest.raises(WeightsError) as caught:
        ensam.create("cpu", path)
    for words in (
        "decoder.head.bias is missing",
        "extra is unknown",
        "prompt_vectors is (4, 64) instead of (4, 128)",
    ):
        assert words in str(caught.value)


def test_unusable_configuration_in_the_weights_is_refused(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    values = {**json.loads(EnsamConfig().to_json()), "skip": "sum"}
    metadata = {"format": "medsegfm.ensam", "version": "1", "config": json.dumps(values)}
    save_file({"w": torch.zeros(1)}, str(tmp_path / "w.safetensors"), metadata)
    with pytest.raises(WeightsError, match="skip is 'sum'"):
        ensam.create("cpu", tmp_path / "w.safetensors")


def without(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    def found(name: str) -> Any:
        return None if name in packages else find_spec(name)

    for module in (ensam, device):
        monkeypatch.setattr(module, "find_spec", found)


def test_gpu_without_torch_is_refused_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    without(monkeypatch, "torch")
    with pytest.raises(DeviceError, match=r"'cuda' needs torch.*pip install"):
        create("ensam", "cuda", weights=weights)
    with pytest.raises(DeviceError, match="'tpu' does not exist"):
        create("ensam", "tpu", weights=weights)


def test_cpu_with_nothing_that_runs_networks_is_refused_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, weights: Path
) -> None:
    without(monkeypatch, "torch", "openvino", "onnxruntime")
    sentence = r"need torch.*openvino and onnxruntime are not installed.*randomwalk"
    with pytest.raises(ModelError, match=sentence):
        create("ensam", "cpu", weights=weights)


def test_configuration_without_a_graph_needs_torch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "w.safetensors"
    ensam_weights.save(Ensam(EnsamConfig(cells=16)), path)
    volume = noise_volume((8, 12, 12))
    assert predict(create("ensam", "cpu", weights=path), volume, []).logits_kji.any()
    without(monkeypatch, "torch")
    with pytest.raises(ModelError, match="no graph of their configuration"):
        create("ensam", "cpu", weights=path)


@pytest.mark.parametrize("missing", [("openvino",), ("openvino", "onnxruntime")])
def test_without_openvino_another_library_gives_the_same_mask(
    monkeypatch: pytest.MonkeyPatch, weights: Path, missing: tuple[str, ...]
) -> None:
    volume = noise_volume((13, 30, 21))
    box = Box.from_ijk(volume.geometry, (3, 4, 2), (15, 20, 10))
    first = predict(create("ensam", "cpu", weights=weights), volume, [box])
    without(monkeypatch, *missing)
    second = predict(create("ensam", "cpu", weights=weights), volume, [box])
    np.testing.assert_allclose(second.logits_kji, first.logits_kji, atol=1e-3)


@pytest.mark.parametrize("device", ["cuda:99", "tpu", "cuda:-1", ""])
def test_device_that_is_not_there_is_refused(device: str, weights: Path) -> None:
    with pytest.raises(DeviceError, match="does not exist; this computer has cpu"):
        ensam.create(device, weights)


def test_auto_takes_cuda_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [str(choose_device(d)) for d in ("auto", "cuda", "cuda:1", "cpu")] == [
        "cuda:0",
        "cuda:0",
        "cuda:1",
        "cpu",
    ]
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert str(choose_device("auto")) == "cpu"
    with pytest.raises(DeviceError):
        choose_device("cuda")


def test_auto_takes_the_cpu_without_loading_torch_where_no_driver_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(device, "may_have_gpu", lambda: False)
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.setattr(device, "find_spec", lambda name: name)
    assert device.is_cpu("auto")


def test_full_gpu_is_a_device_error_with_advice() -> None:
    with (
        pytest.raises(
            DeviceError, match=r"not enough memory for the model ensam; draw a smaller box"
        ),
        memory_errors("ensam"),
    ):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")


def test_full_computer_is_a_device_error_with_advice() -> None:
    for full in (MemoryError(), RuntimeError("std::bad_alloc")):
        with (
            pytest.raises(DeviceError, match="computer has not enough memory for the model ensam"),
            memory_errors("ensam"),
        ):
            raise full
    with pytest.raises(RuntimeError, match="shape"), memory_errors("ensam"):
        raise RuntimeError("wrong shape")
