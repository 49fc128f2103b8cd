"""Hostile inputs, class by class, counted with those that escape.

    PYTHONPATH=.:Testing/support python Testing/attacks/run.py [--minutes 20] [--seed 0] [CLASS ...]

Each class is a module of this folder with NAME, `inputs(rng)`, an endless iterator, and
`escape(payload, folder)`, which returns None if the input ended as it should, and otherwise a
description. The minutes are shared among the classes. The exit status is 1 if anything escaped.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from itertools import islice
from pathlib import Path

CLASSES = (
    "dicom_folders",
    "downloads",
    "foreign_configs",
    "full_disk",
    "image_files",
    "interrupts",
    "json_files",
    "npz_files",
    "paths",
    "scene_machine",
    "session_machine",
    "weights_files",
    "worker_frames",
    "worker_machine",
)
_MOST_SHOWN = 5


@dataclass(frozen=True)
class Count:
    """The inputs of a class that were tried, and the descriptions of those that escaped."""

    name: str
    tried: int
    escapes: tuple[str, ...]


def attack(
    module_name: str, seed: int, seconds: float = float("inf"), most: int | None = None
) -> Count:
    """Try inputs of one class until the time or their number is reached; at least one.

    Args:
        module_name: one of `CLASSES`.
        seed: the same seed gives the same inputs.
        seconds: the time.
        most: the largest number of inputs; None for no limit.
    """
    module = import_module(f"Testing.attacks.{module_name}")
    end = time.monotonic() + seconds
    tried, escapes = 0, []
    for payload in _limited(module.inputs(random.Random(seed)), most):
        with tempfile.TemporaryDirectory() as folder:
            description = module.escape(payload, Path(folder))
        tried += 1
        if description is not None:
            escapes.append(f"input {tried} of seed {seed}: {description}")
        if time.monotonic() > end:
            break
    return Count(module.NAME, tried, tuple(escapes))


def _limited(inputs: Iterator[object], most: int | None) -> Iterator[object]:
    return inputs if most is None else islice(inputs, most)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("classes", nargs="*", choices=[*CLASSES, []], metavar="CLASS")
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    names = arguments.classes or CLASSES
    escaped = 0
    print("| class | inputs | escapes |\n|---|---|---|")
    for name in names:
        count = attack(name, arguments.seed, 60 * arguments.minutes / len(names))
        escaped += len(count.escapes)
        print(f"| {count.name} | {count.tried} | {len(count.escapes)} |", flush=True)
        for description in count.escapes[:_MOST_SHOWN]:
            print(description, file=sys.stderr, flush=True)
    return 1 if escaped else 0


if __name__ == "__main__":
    sys.exit(main())
