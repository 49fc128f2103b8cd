"""Names of devices, what they can compute, and their memory, without any of the GPUs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from MedSegFMLib.errors import DeviceError
from MedSegFMLib.system import device
from MedSegFMLib.system.memory import device_memory


def gpus(count: int, free: int = 0) -> SimpleNamespace:
    return SimpleNamespace(
        is_available=lambda: count > 0,
        device_count=lambda: count,
        mem_get_info=lambda number: (free, 2 * free),
    )


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Sets how many GPUs of each kind torch finds."""

    def has(cuda: int = 0, xpu: int = 0, mps: bool = False) -> None:
        monkeypatch.setattr(torch, "cuda", gpus(cuda, free=5_000_000))
        monkeypatch.setattr(torch, "xpu", gpus(xpu, free=7_000_000), raising=False)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(device, "may_have_gpu", lambda: bool(cuda or xpu or mps))
        monkeypatch.setattr(device_memory, "may_have_gpu", lambda: bool(cuda or xpu or mps))

    yield has


@pytest.mark.parametrize(
    ("has", "name", "chosen"),
    [
        ({}, "auto", "cpu"),
        ({"cuda": 2}, "auto", "cuda:0"),
        ({"cuda": 2}, "cuda:1", "cuda:1"),
        ({"cuda": 2, "xpu": 1}, "gpu", "cuda:0"),
        ({"cuda": 2, "xpu": 1}, "xpu", "xpu:0"),
        ({"xpu": 1}, "auto", "xpu:0"),
        ({"mps": True}, "auto", "mps"),
        ({"mps": True}, "gpu", "mps"),
        ({"mps": True}, "mps:0", "mps"),
        ({"mps": True}, "cpu", "cpu"),
    ],
)
def test_a_name_stands_for_a_device_of_any_kind(
    has: dict[str, Any], name: str, chosen: str, machine: Any
) -> None:
    machine(**has)
    assert str(device.choose_device(name)) == chosen
    assert device.is_cpu(name) == (chosen == "cpu")


@pytest.mark.parametrize("name", ["cuda", "gpu", "xpu:1", "mps", "tpu"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(name: str, machine: Any) -> None:
    machine(xpu=1) if name == "xpu:1" else machine()
    with pytest.raises(DeviceError, match=f"'{name}' does not exist; this computer has cpu"):
        device.choose_device(name)


def test_apples_gpus_get_no_float64_and_compute_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[Any] = []

    def to(tensor: Any, where: Any) -> Any:
        if where.type == "mps" and tensor.dtype == torch.float64:
            raise TypeError("the MPS framework doesn't support float64")
        moved.append(tensor.dtype)
        return tensor

    monkeypatch.setattr(torch.Tensor, "to", to)
    metal: Any = SimpleNamespace(type="mps")
    device.on_device(np.zeros(3), metal)
    device.on_device(np.zeros(3, np.int64), metal)
    device.on_device(np.zeros(3), torch.device("cpu"))
    assert moved == [torch.float32, torch.int64, torch.float64]
    assert device.fast_type(metal) is None and device.fast_type(torch.device("cpu")) is None
    assert device.fast_type(torch.device("xpu")) is torch.bfloat16


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (torch.cuda.OutOfMemoryError("XPU out of memory"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"), True),
        (RuntimeError("shapes do not match"), False),
        (MemoryError(), False),
    ],
    ids=["torch", "mps", "another", "the computer's"],
)
def test_a_full_gpu_is_recognised_through_named_errors(error: BaseException, full: bool) -> None:
    assert device.is_gpu_out_of_memory(error) == full
    named = DeviceError("no memory")
    named.__cause__ = error
    assert device.is_gpu_out_of_memory(named) == full


def test_frames_of_an_error_are_forgotten_with_what_they_hold() -> None:
    try:
        try:
            raise RuntimeError("inner")
        except RuntimeError as error:
            raise DeviceError("outer") from error
    except DeviceError as error:
        kept = error
    device.forget_frames(kept)
    assert kept.__traceback__ is None and kept.__cause__ and kept.__cause__.__traceback__ is None


def test_the_memory_of_an_estimate_is_that_of_the_device(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_memory, "free_bytes", lambda: 1_000_000)
    machine()
    assert device_memory.free_for("auto") == device_memory.free_for("cpu") == 1_000_000
    machine(cuda=1)
    assert device_memory.free_for("auto") == device_memory.free_for("cuda:0") == 5_000_000
    assert device_memory.free_for("cpu") == 1_000_000
    machine(xpu=1)
    assert device_memory.free_for("xpu") == 7_000_000
    machine(mps=True)
    assert device_memory.free_for("mps") == 1_000_000


def test_without_torch_the_driver_says_what_is_free(
    machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine(cuda=1)
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setattr(device_memory, "_nvidia_free", lambda when: (300, 400))
    assert device_memory.free_for("auto") == 300 and device_memory.free_for("cuda:1") == 400


@pytest.mark.skipif(os.name != "posix", reason="the program is a shell script")
def test_what_the_driver_says_may_be_in_another_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_bytes(b"#!/bin/sh\nprintf '300\\n\\377\\302\\n'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert device_memory._nvidia_free(-1) == (300 * 2**20,)


def test_memory_of_the_cpu_is_measured() -> None:
    cpu = torch.device("cpu")
    device_memory.reset_peak_on(cpu)
    device_memory.wait_for(cpu)
    assert device_memory.held_on(cpu) > 0 and device_memory.peak_on(cpu) > 0
    assert device_memory.free_on(cpu) > 0
