"""Where a worker runs: this Python, Slicer's, or another computer."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from worker_helpers import ask, final_of, kinds, mask_of, one_box, pump, small_volume

from MedSegFMLib import Session, create
from MedSegFMLib.cli import main
from MedSegFMLib.errors import WorkerError
from MedSegFMLib.system.library_program import find_python
from MedSegFMLib.worker.client import (
    Failed,
    LocalLauncher,
    Restarted,
    SshLauncher,
    WorkerClient,
)

ROOT = Path(__file__).resolve().parents[2]

_SSH = """#!/bin/sh
echo "$@" > "$SSH_TOLD"
{before}
while [ "$1" != "--" ]; do shift; done
shift 2
exec sh -c "$1"
"""


@pytest.fixture
def fake_ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `ssh` that runs the command here; it writes its arguments into the file returned."""
    if sys.platform == "win32":
        pytest.skip("a shell script stands in for ssh")
    write_ssh(tmp_path, "")
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("SSH_TOLD", str(tmp_path / "told"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path / "told"


def write_ssh(folder: Path, before: str) -> None:
    (folder / "ssh").write_text(_SSH.format(before=before))
    (folder / "ssh").chmod(0o755)


def remote() -> SshLauncher:
    return SshLauncher("gpu.example", f"{sys.executable} -m MedSegFMLib worker")


def test_a_worker_behind_ssh_answers_as_a_session_here(fake_ssh: Path) -> None:
    write_ssh(fake_ssh.parent, "echo 'Welcome to the cluster'")
    volume = small_volume()
    client = WorkerClient(remote())
    try:
        client.set_volume(volume)
        last = final_of(client, ask(client, "ellipsoid"))[-1]
    finally:
        client.close()
    session = Session(create("ellipsoid"), volume)
    session.change(one_box(volume))
    assert np.array_equal(mask_of(last, volume), session.predict_all()[1].mask.array_kji)
    told = fake_ssh.read_text(encoding="utf-8").split()
    assert told[:3] == ["-T", "-o", "BatchMode=yes"] and told[told.index("--") + 1] == "gpu.example"


def test_a_host_that_lets_nobody_in_is_named_with_what_ssh_said(fake_ssh: Path) -> None:
    write_ssh(fake_ssh.parent, "echo 'Permission denied (publickey).' >&2; exit 255")
    client = WorkerClient(remote())
    try:
        client.set_volume(small_volume())
        failed = pump(client, lambda events: "Failed" in kinds(events))[-1]
    finally:
        client.close()
    assert isinstance(failed, Failed)
    assert str(failed.error) == (
        "The worker on gpu.example ended with status 255: Permission denied (publickey); check "
        "that 'ssh gpu.example medsegfm --version' succeeds without any prompt."
    )


def test_a_command_that_is_no_worker_is_an_error(fake_ssh: Path) -> None:
    client = WorkerClient(SshLauncher("gpu.example", "echo hello; sleep 0.2"))
    try:
        client.set_volume(small_volume())
        events = pump(client, lambda events: "Failed" in kinds(events))
    finally:
        client.close()
    assert isinstance(events[-1], Failed) and isinstance(events[-2], Restarted)
    assert "starts a worker of MedSegFM" in str(events[-1].error)


@pytest.mark.parametrize("host", ["", "-oProxyCommand=evil", "a b"])
def test_a_host_that_ssh_would_take_for_something_else_is_refused(host: str) -> None:
    with pytest.raises(WorkerError, match="give a host name for ssh"):
        SshLauncher(host)


def test_slicer_runs_its_workers_with_its_own_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_python() == sys.executable
    monkeypatch.setattr(sys, "executable", "/opt/Slicer/SlicerApp-real")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(WorkerError, match="no PythonSlicer on the PATH"):
        LocalLauncher().arguments()
    name = "PythonSlicer.exe" if sys.platform == "win32" else "PythonSlicer"
    (tmp_path / name).touch(0o755)
    assert LocalLauncher().arguments()[0] == str(tmp_path / name)


def test_the_worker_finds_the_library_wherever_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit('a file of the user, not numpy')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    client = WorkerClient(LocalLauncher())
    try:
        client.start()
        assert kinds(pump(client, lambda events: bool(events))) == ["Started"]
    finally:
        client.close()


def test_a_worker_in_a_terminal_says_that_it_is_no_command_to_type(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", type("Terminal", (), {"isatty": lambda self: True})())
    assert main(["worker"]) == 2
    assert "cannot be run in a terminal" in capsys.readouterr().err


def test_ssh_gets_the_variables_from_before_slicers_launcher(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/slicer/lib")
    assert SshLauncher("host").environment()["LD_LIBRARY_PATH"] == "/slicer/lib"
    monkeypatch.setenv("APPLAUNCHER_0_HOME", "/home/me")
    environment = SshLauncher("host").environment()
    assert environment["HOME"] == "/home/me" and "LD_LIBRARY_PATH" not in environment
