"""runs.json: what was asked of a folder of results, call by call, and what computed it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...errors import CasesError
from ...system.atomic_files import write_text
from .environment import machine


def now() -> str:
    """The time, the same everywhere."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True)
class RunRecord:
    """One call of evaluate.

    command: as it was typed. seeds: that it asked for. done: how many tasks it computed; failed:
    how many could not be done when it ended. machines: those that computed, as
    `environment.machine` describes them; this one, unless others are given. weights: their SHA-256
    by model, as `weights_used` gives them here.
    """

    command: str
    seeds: Sequence[int]
    begun: str
    done: int
    failed: int
    machines: Sequence[dict[str, Any]] = ()
    weights: Mapping[str, str] = field(default_factory=dict)
    ended: str = field(default_factory=now)

    def __post_init__(self) -> None:
        if not self.machines:
            object.__setattr__(self, "machines", [machine()])


def read_runs(folder: Path) -> list[RunRecord]:
    """The calls so far, the first one first; CasesError where the file is damaged."""
    path = folder / "runs.json"
    if not path.exists():
        return []
    try:
        return [RunRecord(**record) for record in json.loads(path.read_text(encoding="utf-8"))]
    except OSError as error:
        raise CasesError(f"{path} cannot be read ({error.strerror}); remove it.") from error
    except (TypeError, ValueError) as error:
        raise CasesError(f"{path} is damaged ({error}); remove it.") from error


def add_run(folder: Path, record: RunRecord) -> list[RunRecord]:
    """Add a call to runs.json, which is written whole or not at all, and give all calls."""
    runs = [*read_runs(folder), record]
    write_text(folder / "runs.json", json.dumps([asdict(run) for run in runs], indent=1))
    return runs
