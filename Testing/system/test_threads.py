"""The threads of a computation follow what the machine has free, by one rule."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from MedSegFMLib.system import threads

ROOT = Path(__file__).resolve().parents[2]
VARIABLES = tuple(threads.environment(1))


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables are put back after a test, also those that it did not have."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def machine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cores: int, running: int, quota: str = ""
) -> None:
    """A computer with `cores`, on which `running` threads run, this one included."""
    (tmp_path / "stat").write_text(f"cpu 1 2\nprocs_running {running}\nprocs_blocked 3\n")
    (tmp_path / "cpu.max").write_text(quota or "max 100000")
    monkeypatch.setattr(threads, "_STATE", tmp_path / "stat")
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)


@pytest.mark.parametrize(
    ("cores", "running", "free"), [(2, 1, 2), (2, 7, 1), (2, 2, 1), (16, 5, 12), (16, 40, 1)]
)
def test_cores_that_others_keep_busy_are_not_free(
    cores: int, running: int, free: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, tmp_path, cores, running)
    assert threads.free_cores() == free


@pytest.mark.parametrize(
    ("quota", "usable"), [("max 100000", 8), ("200000 100000", 2), ("50000 100000", 1)]
)
def test_the_quota_of_a_container_counts(
    quota: str, usable: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, tmp_path, 8, 1, quota)
    assert threads.usable_cores() == threads.free_cores() == usable


def test_the_affinity_of_a_process_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    machine(monkeypatch, tmp_path, 8, 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert threads.free_cores() == 2


@pytest.mark.parametrize(("load", "free"), [(0.2, 4), (2.6, 1), (9.0, 1)])
def test_other_systems_give_the_load_of_a_minute(
    load: float, free: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, tmp_path, 4, 1)
    monkeypatch.setattr(threads, "_STATE", tmp_path / "nowhere")
    monkeypatch.setattr(os, "getloadavg", lambda: (load, 0.0, 0.0), raising=False)
    assert threads.free_cores() == free
    monkeypatch.delattr(os, "getloadavg")
    assert threads.free_cores() == 4


def test_what_is_typed_comes_before_the_environment_and_that_before_the_rule(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, tmp_path, 8, 1)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    for words, count in (
        (["segment", "--threads", "5"], 5),
        (["segment", "--threads=6"], 6),
    ):
        threads.choose(words)
        assert {os.environ[name] for name in VARIABLES} == {str(count)}
    for name in VARIABLES:
        monkeypatch.delenv(name)
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    threads.choose(["segment"])
    assert {os.environ[name] for name in VARIABLES} == {"3"} and threads.thread_count() == 3
    for name in VARIABLES:
        monkeypatch.delenv(name)
    threads.choose(["segment", "--threads"])
    assert {os.environ[name] for name in VARIABLES} == {"8"}


def test_every_library_of_a_command_gets_the_threads() -> None:
    code = (
        "import sys; from MedSegFMLib import cli\n"
        "from MedSegFMLib.commands import demo\n"
        "from MedSegFMLib.system import threads\n"
        "def show(_):\n"
        "    from MedSegFMLib.models.common.openvino_cpu import settings\n"
        "    from MedSegFMLib.models.ensam.onnx_runtime import _options\n"
        "    print(settings('f32')['INFERENCE_NUM_THREADS'], _options().intra_op_num_threads)\n"
        "    import torch, SimpleITK\n"
        "    print(torch.get_num_threads())\n"
        "    print(SimpleITK.ProcessObject.GetGlobalDefaultNumberOfThreads())\n"
        "demo.run = show; sys.argv[1:] = ['demo', '--threads', '1']; sys.exit(cli.main())"
    )
    words = [sys.executable, "-c", code]
    # What is typed counts, not this.
    variables = {**os.environ, "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        words, cwd=ROOT, env=variables, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["1"] * 4
