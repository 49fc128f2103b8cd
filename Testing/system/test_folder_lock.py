"""Two runs cannot write into one folder at a time; the second is refused and names the first."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from waiting import wait_until

from MedSegFMLib.errors import OutputError
from MedSegFMLib.system.folder_lock import FILE, folder_lock

ROOT = Path(__file__).resolve().parents[2]
_HOLD = """
import sys, time
from pathlib import Path
from MedSegFMLib.system.folder_lock import folder_lock
with folder_lock(Path(sys.argv[1]), "or go"):
    print("held", flush=True)
    time.sleep(3600)
"""


def holding(folder: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLD, folder], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def test_second_run_is_refused_and_names_the_first(tmp_path: Path) -> None:
    with holding(tmp_path) as first:
        said = rf"the run '-c .*' \(process {first.pid} on .*since .*\); wait for it or go"
        with pytest.raises(OutputError, match=said), folder_lock(tmp_path, "or go"):
            pass
        first.kill()
    # The system has released the lock of the killed run; what it left is no obstacle.
    assert (tmp_path / FILE).exists()
    with folder_lock(tmp_path, "or go"):
        assert json.loads((tmp_path / FILE).read_text(encoding="utf-8"))["pid"] == str(os.getpid())
    assert list(tmp_path.iterdir()) == []


def test_one_of_many_at_once_gets_the_folder(tmp_path: Path) -> None:
    got, together, most = [], 0, 0

    def run() -> None:
        nonlocal together, most
        for _ in range(50):
            try:
                with folder_lock(tmp_path, ""):
                    together += 1
                    most = max(most, together)
                    got.append(1)
                    together -= 1
            except OutputError:
                continue

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert got and most == 1 and list(tmp_path.iterdir()) == []


def test_the_holder_may_lock_again(tmp_path: Path) -> None:
    with folder_lock(tmp_path, ""):
        with folder_lock(tmp_path, ""):
            pass
        assert (tmp_path / FILE).exists()


def test_run_on_another_computer_is_named_with_the_way_to_remove_it(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text(json.dumps({"pid": "7", "host": "far", "command": "a\nb", "started": "now"}))
    said = rf"'ab' \(process 7 on far, since now\).*remove {path} if that run has ended"
    with pytest.raises(OutputError, match=said), folder_lock(tmp_path, "or go"):
        pass
    path.unlink()
    with folder_lock(tmp_path, "or go"):
        pass


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff\0", b"[" * 9000, b'{"pid": []}'])
def test_damaged_lock_file_is_taken(content: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(content)
    with folder_lock(tmp_path, ""):
        pass


def test_folder_that_cannot_be_locked_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(OutputError, match=r"\.lock cannot be written"), folder_lock(tmp_path, ""):
        pass


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_forked_children_do_not_keep_the_lock(tmp_path: Path) -> None:
    with holding_with_child(tmp_path) as first:
        assert first.stdout is not None
        child = int(first.stdout.readline())
        first.kill()
        first.wait()
        try:
            # A busy machine may let the child run only now.
            wait_until(lambda: can_be_locked(tmp_path))
        finally:
            os.kill(child, signal.SIGKILL)


def can_be_locked(folder: Path) -> bool:
    try:
        with folder_lock(folder, ""):
            return True
    except OutputError:
        return False


def holding_with_child(folder: Path) -> subprocess.Popen[str]:
    code = _HOLD.replace('print("held"', "import os; print(os.fork() or time.sleep(3600)")
    return subprocess.Popen(
        [sys.executable, "-c", code, folder], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


@pytest.mark.parametrize("command", ["evaluate", "train"])
def test_commands_are_refused(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from command_line import refused

    if command == "train":
        pytest.importorskip("torch")
        pytest.importorskip("accelerate")
    out = tmp_path / "out"
    out.mkdir()
    words = {
        "evaluate": ["evaluate", cases(tmp_path), "--models", "ellipsoid", "--out", out],
        "train": ["train", "ensam", f"out={out}", "device=cpu", "samples=1"],
    }[command]
    with holding(out) as first:
        try:
            assert f"process {first.pid} on" in refused(capsys, *words)
        finally:
            first.kill()
    assert {p.name for p in out.iterdir()} == {FILE}


def test_the_library_does_not_evaluate_into_a_folder_in_use(tmp_path: Path) -> None:
    from MedSegFMLib.datasets.cases import read_cases
    from MedSegFMLib.evaluate.protocols import read_protocol
    from MedSegFMLib.evaluate.run.runner import evaluate

    out = tmp_path / "out"
    out.mkdir()
    given = read_cases(cases(tmp_path)), ["ellipsoid"], [0], out, read_protocol("clicks"), 1
    with holding(out) as first:
        try:
            with pytest.raises(OutputError, match=f"process {first.pid} on"):
                evaluate(*given)
        finally:
            first.kill()
    assert evaluate(*given).done == 1


def cases(folder: Path) -> Path:
    import numpy as np

    from MedSegFMLib import Geometry, Volume

    blob = np.zeros((8, 9, 10), np.uint8)
    blob[2:5, 2:6, 2:7] = 1
    geometry = Geometry.from_spacing(blob.shape, (1.0, 1.0, 1.0))
    Volume(blob, geometry).write(folder / "label.nii")
    Volume(blob * 100, geometry).write(folder / "image.nii")
    case = {"name": "a", "image": "image.nii", "label": "label.nii", "objects": {"1": "blob"}}
    path = folder / "cases.json"
    path.write_text(json.dumps({"cases": [{**case, "modality": "CT"}]}))
    return path
