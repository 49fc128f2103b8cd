"""Ctrl-C, once or twice, at random moments from the first line of the program on.

An escape is another exit status than 130 (or that of a command that was done already), another line
on stderr than the one, more than a few seconds, a file with a temporary name, or a process left.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from MedSegFMLib.commands.interrupts import INTERRUPTED
from MedSegFMLib.volumes.geometry import Geometry
from MedSegFMLib.volumes.volume import Volume

NAME = "interrupts"

_ROOT = Path(__file__).resolve().parents[2]
# About a second; twenty times that, because tests share their cores.
_SECONDS = 20.0
# Prints a line as soon as the handler is installed.
_PROGRAM = """
import os, sys
from MedSegFMLib import cli
install = cli.interrupts.install
def marked():
    install()
    os.write(1, b"ready\\n")
cli.interrupts.install = marked
if __name__ == "__main__":
    sys.exit(cli.main())
"""
_COMMANDS = {
    "models": ["models"],
    "segment": "segment image.nii --model ellipsoid --box 20 20 5 40 40 15 --out o.nii.gz".split(),
    "show": "show image.nii --preview p.png".split(),
    "evaluate": "evaluate cases.json --models ellipsoid --jobs 2 --out results".split(),
}


@dataclass(frozen=True)
class Payload:
    """A command, the seconds from the first line to Ctrl-C, and those to a second one."""

    command: str
    seconds: float
    again: float | None


def inputs(rng: Random) -> Iterator[Payload]:
    """Endless moments, early ones more often."""
    while True:
        again = rng.choice([None, 0.0, rng.uniform(0, 0.3)])
        yield Payload(rng.choice(list(_COMMANDS)), 3 * rng.random() ** 3, again)


def escape(payload: Payload, folder: Path) -> str | None:
    """Run the command, press Ctrl-C, and judge how it ended."""
    _write_case(folder)
    program = folder / "program.py"
    program.write_text(_PROGRAM)
    with subprocess.Popen(
        [sys.executable, program, *_COMMANDS[payload.command]],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None and process.stdout.readline() == b"ready\n"
            time.sleep(payload.seconds)
            interrupted_at = time.monotonic()
            # As a terminal does: to every process of the group.
            os.killpg(process.pid, signal.SIGINT)
            if payload.again is not None:
                time.sleep(payload.again)
                _signal(process.pid, signal.SIGINT)
            _, printed = process.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            return f"{payload} goes on for {_SECONDS} s"
        finally:
            seconds = time.monotonic() - interrupted_at
            _signal(process.pid, signal.SIGKILL) if process.poll() is None else None
    lines = printed.decode(errors="replace").splitlines()
    left = [path.name for path in folder.rglob(".tmp-*")]
    if left:
        return f"{payload} leaves {left[0]}"
    if process.returncode == 0:
        return f"{payload}: {lines}" if lines else None
    if process.returncode != 130 or lines != [INTERRUPTED]:
        return f"{payload}: status {process.returncode} after {seconds:.1f} s, {lines[-3:]}"
    for _ in range(100):
        if not _signal(process.pid, 0):
            return None
        time.sleep(0.02)
    return f"{payload} leaves a process"


def _signal(group: int, number: int) -> bool:
    """Send a signal; whether a process of the group is there."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


def _write_case(folder: Path) -> None:
    if (folder / "cases.json").exists():
        return
    blob = np.zeros((20, 60, 60), np.uint8)
    blob[5:15, 20:40, 20:40] = 1
    geometry = Geometry.from_spacing(blob.shape, (1.0, 1.0, 2.0))
    Volume(blob, geometry).write(folder / "label.nii")
    Volume(blob.astype(np.int16) * 100, geometry).write(folder / "image.nii")
    case = {"image": "image.nii", "label": "label.nii", "objects": {"1": "b"}, "modality": "CT"}
    cases = [{"name": f"case {number}", **case} for number in range(8)]
    (folder / "cases.json").write_text(json.dumps({"cases": cases}))
