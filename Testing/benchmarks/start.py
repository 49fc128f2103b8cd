"""The time from the start of `medsegfm segment` to its first progress, and to its result.

    python Testing/benchmarks/start.py [--turns 5]

The command runs at a pseudo-terminal, as for a user; the first progress is the first phrase of the
bar. `cached` is the same command again, with the encoded region on disk.
"""

from __future__ import annotations

import argparse
import os
import pty
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from MedSegFMLib.synthesis.phantom import make_abdomen

ROOT = Path(__file__).resolve().parents[2]
_FIRST = b"Reading the volume"
_BOX = "--box 40 40 20 80 80 40".split()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--models", default="ensam,randomwalk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        volume = Path(folder) / "phantom.nii.gz"
        make_abdomen().image.write(volume)
        print("| command | first progress, s | result, s |\n|---|---|---|")
        for model in arguments.models.split(","):
            words = ["segment", str(volume), "--model", model, *_BOX]
            words += ["--out", str(Path(folder) / "seg.nrrd")]
            for name, extra in ((f"{model}", ["--no-cache"]), (f"{model}, cached", [])):
                environment = {**os.environ, "MEDSEGFM_WEIGHTS": folder}
                if not extra:
                    _timed(words, environment)
                turns = [_timed([*words, *extra], environment) for _ in range(arguments.turns)]
                first, whole = (statistics.median(side) for side in zip(*turns, strict=True))
                print(f"| {name} | {first:.2f} | {whole:.2f} |", flush=True)


def _timed(words: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """The seconds to the first progress, and to the end."""
    mine, theirs = pty.openpty()
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "MedSegFMLib", *words],
        cwd=ROOT,
        env=environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    seen, first = b"", 0.0
    while True:
        try:
            block = os.read(mine, 4096)
        except OSError:
            break
        if not block:
            break
        seen += block
        if not first and _FIRST in seen:
            first = time.perf_counter() - start
    if process.wait():
        raise SystemExit(seen.decode(errors="replace"))
    os.close(mine)
    return first, time.perf_counter() - start


if __name__ == "__main__":
    main()
