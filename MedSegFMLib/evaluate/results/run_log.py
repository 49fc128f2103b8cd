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
from ...system.json_files import load_json
from ...tasks.environment import machine


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
        return [_record(item) for item in load_json(path, list)]
    except OSError as error:
        raise CasesError(f"{path} cannot be read ({error.strerror}); remove it.") from error
    except (TypeError, ValueError) as error:
        raise CasesError(f"{path} is damaged ({error}); remove it.") from error


def _record(item: Any) -> RunRecord:
    record = RunRecord(**item)
    _check_type(record.weights, dict)
    for values in (record.seeds, record.machines):
        _check_type(values, list)
    for text in (record.command, record.begun, record.ended, *record.weights.values()):
        _check_type(text, str)
    for number in (record.done, record.failed, *record.seeds):
        _check_type(number, int)
    for computer in record.machines:
        _check_type(computer, dict)
    return record


def _check_type(value: Any, kind: type) -> None:
    if type(value) is not kind:
        raise TypeError(f"{str(value)[:60]!a} is not of the type {kind.__name__}")


def add_run(folder: Path, record: RunRecord) -> list[RunRecord]:
    """Add a call to runs.json, which is written atomically, and return all calls."""
    runs = [*read_runs(folder), record]
    write_text(folder / "runs.json", json.dumps([asdict(run) for run in runs], indent=1))
    return runs
