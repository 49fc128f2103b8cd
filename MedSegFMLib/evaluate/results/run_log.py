"""runs.json: the calls of evaluate on a folder of results, and the machines that computed them."""

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
    """The current time in UTC."""
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@dataclass(frozen=True)
class RunRecord:
    """One call of evaluate.

    Attributes:
        command: the command line.
        seeds: the requested seeds.
        begun: the start time.
        done: the number of tasks that it computed.
        failed: the number of tasks that had failed at its end.
        machines: the machines that computed, as `environment.machine` describes them; by default
            this one.
        weights: the SHA-256 of the weights by model, as `weights_used` returns them on this
            machine.
        ended: the end time.
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
    """The calls so far, the first one first.

    Raises:
        CasesError: the file is damaged.
    """
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
    """Add a call to runs.json, which is written atomically, and return all calls."""
    runs = [*read_runs(folder), record]
    write_text(folder / "runs.json", json.dumps([asdict(run) for run in runs], indent=1))
    return runs
