"""Ctrl-C and too little memory end the program with one line, whatever it is doing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from waiting import GENEROUS_SECONDS, wait_until

from MedSegFMLib.commands.interrupts import INTERRUPTED
from MedSegFMLib.volumes.geometry import Geometry
from MedSegFMLib.volumes.volume import Volume

if sys.platform == "win32":
    pytest.skip("signals groups of processes", allow_module_level=True)

from Testing.attacks.interrupts import Payload, escape

ROOT = Path(__file__).resolve().parents[2]
SEGMENT = "segment image.nii --model ellipsoid --box 20 20 5 40 40 15 --out o.nii.gz".split()


@pytest.mark.parametrize("command", ["segment", "evaluate"])
@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.3, 1.0])
def test_ctrl_c_is_one_line_and_130(command: str, seconds: float, tmp_path: Path) -> None:
    assert escape(Payload(command, seconds, None), tmp_path) is None


def test_second_ctrl_c_changes_nothing(tmp_path: Path) -> None:
    assert escape(Payload("evaluate", 0.5, 0.0), tmp_path) is None


def run_program(code: str, **options: object) -> subprocess.Popen[str]:
    """Start a program whose command `models` runs `code`."""
    program = (
        "import os, signal, sys, time\n"
        "from MedSegFMLib import cli\n"
        "from MedSegFMLib.commands import models\n"
        f"def work(_):\n    print('ready', flush=True)\n    {code}\n"
        "models.run = work\nsys.argv[1:] = ['models']\nsys.exit(cli.main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize(
    "code",
    [
        # The handler is not called within a call of C; an exception in it would be swallowed.
        "import ctypes; ctypes.CDLL(None).sleep(3600) or ctypes.CDLL(None).sleep(3600)",
        "exec('while 1:\\n try: time.sleep(3600)\\n except BaseException: pass')",
    ],
)
def test_ctrl_c_is_noticed_in_code_that_ignores_it(code: str) -> None:
    with run_program(code) as process:
        time.sleep(0.2)
        # Without its handler the code would go on for hours.
        process.send_signal(signal.SIGINT)
        assert process.wait(GENEROUS_SECONDS) == 130
        assert process.stderr.read() == f"{INTERRUPTED}\n"


def test_ctrl_c_after_the_work_leaves_the_status() -> None:
    # Python calls this when it has put the handlers of signals back.
    late = "object.__new__(type('Late', (), {'__del__': lambda s: os.kill(os.getpid(), 2)}))"
    with run_program(f"sys.late = {late}") as process:
        assert process.wait(GENEROUS_SECONDS) == 0 and process.stderr.read() == ""


def test_ctrl_c_removes_the_file_that_is_being_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("earlier")
    code = (
        "from MedSegFMLib.system.atomic_files import atomic_path\n"
        f"    with atomic_path({str(path)!r}) as beside: beside.touch(); time.sleep(3600)"
    )
    with run_program(code) as process:
        wait_until(lambda: len(list(tmp_path.iterdir())) == 2)
        process.send_signal(signal.SIGINT)
        assert process.wait(GENEROUS_SECONDS) == 130
    assert list(tmp_path.iterdir()) == [path] and path.read_text(encoding="utf-8") == "earlier"


def test_ctrl_c_that_is_ignored_stays_ignored() -> None:
    code = "print(signal.getsignal(signal.SIGINT) == signal.SIG_IGN)"
    ignore = lambda: signal.signal(signal.SIGINT, signal.SIG_IGN)  # noqa: E731
    with run_program(code, preexec_fn=ignore) as process:
        assert process.stdout.read() == "True\n" and process.wait(GENEROUS_SECONDS) == 0


def test_a_program_that_embeds_the_command_keeps_its_handler(tmp_path: Path) -> None:
    from MedSegFMLib.cli import main

    before = signal.getsignal(signal.SIGINT)
    assert main(["models"]) == 0 and signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def image(tmp_path: Path) -> Path:
    blob = np.zeros((20, 60, 60), np.int16)
    blob[5:15, 20:40, 20:40] = 100
    Volume(blob, Geometry.from_spacing(blob.shape, (1.0, 1.0, 2.0))).write(tmp_path / "image.nii")
    return tmp_path


def limited(
    folder: Path, kilobytes: int, command: Sequence[str] = SEGMENT
) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "MedSegFMLib", *command]
    return subprocess.run(
        ["sh", "-c", f'ulimit -v {kilobytes} && exec "$@"', "sh", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        capture_output=True,
        text=True,
        errors="replace",
    )


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
@pytest.mark.parametrize("megabytes", [30, 300, 400, 550])
def test_too_little_memory_is_one_line_and_2(megabytes: int, image: Path) -> None:
    done = limited(image, megabytes * 1000, [*SEGMENT, "--model", "randomwalk"])
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "not enough memory" in done.stderr, done.stderr
    assert [path.name for path in image.iterdir()] == ["image.nii"]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
def test_enough_memory_is_enough(image: Path) -> None:
    done = limited(image, 4_000_000)
    assert done.returncode == 0 and done.stderr == "" and "Wrote o.nii.gz" in done.stdout
    assert (image / "o.nii.gz").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
@pytest.mark.parametrize(
    ("command", "status", "printed"),
    [
        (["models"], 0, ""),
        (["--help"], 0, ""),
        (["segmentate"], 2, "medsegfm: argument COMMAND"),
        (["show", "missing.nii"], 2, "medsegfm: missing.nii does not exist"),
        # It ends its group of processes, itself included.
        (["worker"], -signal.SIGKILL, ""),
    ],
)
def test_status_under_a_limit_is_that_of_the_command(
    command: list[str], status: int, printed: str, image: Path
) -> None:
    done = limited(image, 4_000_000, command)
    assert done.returncode == status and done.stderr.startswith(printed), done
    assert done.stderr.count("\n") == bool(printed)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not limit memory")
def test_ctrl_c_under_a_limit_is_one_line_and_130(image: Path) -> None:
    def limit() -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (1 << 33, 1 << 33))

    with run_program("time.sleep(3600)", preexec_fn=limit, start_new_session=True) as process:
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(GENEROUS_SECONDS) == 130 and process.stderr.read() == f"{INTERRUPTED}\n"
