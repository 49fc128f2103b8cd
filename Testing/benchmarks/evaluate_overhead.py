"""What an evaluation costs beside the model: reading, prompts, scores, picture, writing.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/evaluate_overhead.py CASES.json
Every case is done in this process with one thread, as each process of `medsegfm evaluate` does it,
with a clock around the functions that do the parts. It counts the seconds that the processor works
for this process, so that a busy machine does not change them. "The model" is what `Session` spends
on predictions.
"""

from __future__ import annotations

import argparse
import functools
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Libraries read it while they load.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

from MedSegFMLib import create
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.evaluate.protocols import read_protocol
from MedSegFMLib.evaluate.records import Done, Row, Task
from MedSegFMLib.evaluate.run import run_case, simulated_prompts, task
from MedSegFMLib.metrics import References
from MedSegFMLib.session.session import Session
from MedSegFMLib.tasks.csv_files import append_records, write_records

MODEL = "model"


class Parts:
    """Seconds of each part, those of parts inside it not counted."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inside: list[float] = []

    def enclosing(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **named: Any) -> Any:
            begun = time.process_time()
            self._inside.append(0.0)
            try:
                return function(*args, **named)
            finally:
                took = time.process_time() - begun
                self.seconds[part] += took - self._inside.pop()
                if self._inside:
                    self._inside[-1] += took

        return timed


def measured(parts: Parts) -> None:
    """Put a clock around what a task is made of."""
    for owner, name, part in (
        (task, "load_case", "reading"),
        (task, "_picture", "picture"),
        (run_case, "first_prompt", "prompts"),
        (simulated_prompts, "next_click", "prompts"),
        (References, "__init__", "scores"),
        (References, "scores", "scores"),
        (Session, "predict_all", MODEL),
    ):
        setattr(owner, name, parts.enclosing(part, getattr(owner, name)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    parser.add_argument("--model", default="ensam")
    parser.add_argument("--protocol", default="clicks")
    parser.add_argument("--only", default="", help="names of cases, with commas")
    arguments = parser.parse_args()
    model = create(arguments.model, "cpu")
    protocol = read_protocol(arguments.protocol)
    parts = Parts()
    measured(parts)
    only = [name for name in arguments.only.split(",") if name]
    print("| case | model s | beside it, s | part of the model's | most of it |")
    print("|---|---|---|---|---|")
    total: dict[str, float] = defaultdict(float)
    with tempfile.TemporaryDirectory() as folder:
        append = parts.enclosing("writing", append_records)
        write_records([], Path(folder) / "results.csv", Row)
        for case in read_cases(arguments.cases):
            if only and case.name not in only:
                continue
            parts.seconds.clear()
            run = parts.enclosing("the rest", task.run_task)
            outcome = run(Task(case, arguments.model, 0), model, protocol)
            if not isinstance(outcome, Done):
                print(f"| {case.name} | {outcome.reason} | | | |")
                continue
            append(outcome.rows, Path(folder) / "results.csv", Row)
            (Path(folder) / f"{case.name}.jpg").write_bytes(outcome.picture)
            for part, seconds in parts.seconds.items():
                total[part] += seconds
            print(f"| {case.name} | {line(parts.seconds)} |", flush=True)
    print(f"| all | {line(total)} |")
    print(", ".join(f"{part} {seconds:.2f} s" for part, seconds in total.items()))


def line(seconds: dict[str, float]) -> str:
    own = seconds[MODEL]
    beside = {part: value for part, value in seconds.items() if part != MODEL}
    most = max(beside, key=lambda part: beside[part])
    whole = sum(beside.values())
    return f"{own:.2f} | {whole:.2f} | {whole / own:.1%} | {most} {beside[most]:.2f} s"


if __name__ == "__main__":
    main()
