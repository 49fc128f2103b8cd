"""Run as a script: `medsegfm` in a world where SAM with a tiny encoder is published.

python tiny_sam.py train crossplane … --events        python tiny_sam.py worker
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from MedSegFMLib.worker.launchers import CommandLauncher, LocalLauncher, TrainingLauncher

_SUPPORT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class TinyTraining(TrainingLauncher):
    """A training from tiny weights, with the least of everything."""

    def arguments(self) -> list[str]:
        least = {"side": 24, "rank": 2, "accumulate": 1, "threads": 1, "validation_objects": 1}
        words = [f"{key}={value}" for key, value in {**self.settings, **least}.items()]
        return [sys.executable, __file__, "train", self.recipe, *words, "--events"]


@dataclass(frozen=True)
class TinyCommand(CommandLauncher):
    """A command that knows tiny weights."""

    def arguments(self) -> list[str]:
        return [sys.executable, __file__, *self.words]


@dataclass(frozen=True)
class TinyLauncher(LocalLauncher):
    """A worker that loads tiny weights."""

    def arguments(self) -> list[str]:
        return [sys.executable, __file__, "worker"]

    def environment(self) -> Mapping[str, str]:
        return {**super().environment(), "OMP_NUM_THREADS": "1"}


def main() -> int:
    """As `medsegfm`, with its words."""
    sys.path.append(str(_SUPPORT))
    from sam_checkpoints import tiny_is_published

    from MedSegFMLib.cli import main as medsegfm

    with tiny_is_published():
        return medsegfm()


if __name__ == "__main__":
    sys.exit(main())
