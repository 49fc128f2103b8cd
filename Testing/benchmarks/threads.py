"""Threads of `segment` and `train` beside other programs: all cores, the rule, and one.

    python Testing/benchmarks/threads.py [--busy 0,6] [--turns 3] [--model ensam] [--train 20]

Busy loops stand for the other programs: processes that compute without end. `rule` is the default
of the program; `all` is what libraries choose by themselves. Training counts steps of a small
network of torch, forward and backward, within the given seconds.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from MedSegFMLib.synthesis.phantom import make_abdomen

ROOT = Path(__file__).resolve().parents[2]
_BOX = "--box 40 40 20 80 80 40 --no-cache".split()
# As `medsegfm train` starts: the rule, then torch.
_TRAINING = """
import sys, time
from MedSegFMLib.system import threads
threads.choose(sys.argv[2:])
import torch
network = torch.nn.Sequential(
    torch.nn.Conv3d(1, 16, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv3d(16, 1, 3, padding=1)
)
image = torch.rand(1, 1, 32, 32, 32)
steps, end = 0, time.monotonic() + float(sys.argv[1])
while time.monotonic() < end:
    network.zero_grad()
    network(image).square().mean().backward()
    steps += 1
print(steps)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--busy", default="0,6")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--model", default="ensam")
    parser.add_argument("--train", type=float, default=10.0, metavar="SECONDS")
    arguments = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f} before\n")
    print("| busy loops | threads | segment, s | training, steps/s |\n|---|---|---|---|")
    choices = {"all": ["--threads", str(os.cpu_count())], "rule": [], "1": ["--threads", "1"]}
    environment = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    with tempfile.TemporaryDirectory() as folder:
        volume = Path(folder) / "phantom.nii.gz"
        make_abdomen().image.write(volume)
        command = [sys.executable, "-m", "MedSegFMLib", "segment", str(volume), *_BOX]
        command += ["--model", arguments.model, "--out", str(Path(folder) / "seg.nrrd")]
        for busy in map(int, arguments.busy.split(",")):
            with _busy_loops(busy):
                seconds = {name: [] for name in choices}
                steps = {name: [] for name in choices}
                # In turn, so that what else the machine does meets all of them.
                for _ in range(arguments.turns):
                    for name, words in choices.items():
                        start = time.perf_counter()
                        _output([*command, *words], environment)
                        seconds[name].append(time.perf_counter() - start)
                        training = [sys.executable, "-c", _TRAINING, str(arguments.train), *words]
                        steps[name].append(int(_output(training, environment)) / arguments.train)
            for name in choices:
                middle = statistics.median(seconds[name]), statistics.median(steps[name])
                print(f"| {busy} | {name} | {middle[0]:.1f} | {middle[1]:.1f} |", flush=True)


def _output(words: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(
        words, cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout


@contextmanager
def _busy_loops(count: int) -> Iterator[None]:
    # They end with this program, however it ends.
    code = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    loops = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(count)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


if __name__ == "__main__":
    main()
