"""What `medsegfm evaluate` costs beside its models, and what it would cost on a cluster.

Run from the checkout, with the extra `cluster`:
    PYTHONPATH=.:Testing/support python Testing/benchmarks/evaluate_scaling.py workers [--ray]
    PYTHONPATH=.:Testing/support python Testing/benchmarks/evaluate_scaling.py driver
    PYTHONPATH=.:Testing/support python Testing/benchmarks/evaluate_scaling.py cluster RESULTS.csv

`workers` runs the same tasks with 1, 2 and 4 workers of one thread each on this machine, several
times in turn, and tells the best of each. `driver` measures what the driver does for a run of many
tasks, with models that answer at once. `cluster` simulates a run over GPUs: what comes next is
decided by the library's own Schedule and loop; only workers are seconds that are counted. Seconds
in the model are drawn from a measured RESULTS.csv; the other numbers it is given: `driver` measures
those of the driver, `workers` those to start and load (whole less working).
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from sample_volumes import make_blob
from simulated_executor import SimulatedExecutor

from MedSegFMLib import Geometry, Volume
from MedSegFMLib.datasets.cases import Case, read_cases
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.records import Done, Outcome, Row, Task
from MedSegFMLib.evaluate.results.results_folder import ResultsFolder
from MedSegFMLib.evaluate.run.task import run_task
from MedSegFMLib.model_choice import read_choice
from MedSegFMLib.tasks.attempt import open_model
from MedSegFMLib.tasks.csv_files import read_records
from MedSegFMLib.tasks.executor import Executor, Ready, WorkerEvent
from MedSegFMLib.tasks.process_pool import ProcessPool
from MedSegFMLib.tasks.run_tasks import run_tasks
from MedSegFMLib.tasks.scheduler import Scheduler


def make_cases(folder: Path, count: int, size: int) -> list[Case]:
    """Balls in noise, `size` voxels wide."""
    entries = []
    for n in range(count):
        geometry = Geometry.from_spacing((size, size, size), (0.9, 0.9, 1.5))
        volume, mask = make_blob(geometry, seed=n)
        volume.write(folder / f"{n}.nrrd")
        Volume(mask.astype(np.uint8), geometry).write(folder / f"{n}-label.nrrd")
        files = {"image": f"{n}.nrrd", "label": f"{n}-label.nrrd"}
        entries.append({"name": str(n), **files, "modality": "MR", "objects": {"1": "ball"}})
    (folder / "cases.json").write_text(json.dumps({"cases": entries}))
    return read_cases(folder / "cases.json")


def seconds_of(executor: Executor, tasks: Sequence[Task]) -> tuple[float, float]:
    """From the start of the workers to the last outcome, and from the first that is ready."""
    ready: list[float] = []
    handle = Scheduler.handle

    class Timed(Scheduler):
        def handle(self, worker, event):  # type: ignore[no-untyped-def]
            if isinstance(event, Ready):
                ready.append(time.perf_counter())
            return handle(self, worker, event)

    begun = time.perf_counter()
    done = sum(
        isinstance(outcome, Done) for _, outcome in run_tasks(Timed(tasks, executor), executor)
    )
    end = time.perf_counter()
    assert done == len(tasks)
    return end - begun, end - ready[0]


def executor_of(model: str, jobs: int, ray: bool, clicks: int) -> Executor:
    load = functools.partial(open_model, choices={model: read_choice(model)})
    work = functools.partial(run_task, protocol=Protocol(clicks=clicks))
    if not ray:
        return ProcessPool(load, work, "cpu", jobs)
    from MedSegFMLib.tasks.ray_executor import RayExecutor

    return RayExecutor(load, work, "cpu", "local", {model: model}, jobs, [])


def measure_workers(arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as folder:
        if arguments.cases is None:
            cases = make_cases(Path(folder), arguments.count, arguments.size)
        else:
            cases = read_cases(arguments.cases)
        for model in arguments.models.split(","):
            tasks = [Task(case, model, 0) for case in cases]
            best = {workers: (np.inf, np.inf) for workers in arguments.workers}
            for _, workers in itertools.product(range(arguments.turns), arguments.workers):
                took = seconds_of(
                    executor_of(model, workers, arguments.ray, arguments.clicks), tasks
                )
                best[workers] = min(best[workers], took, key=lambda pair: pair[1])
            how = "Ray" if arguments.ray else "processes"
            print(
                f"{model}: {len(tasks)} tasks, {how}, {os.cpu_count()} cores, best of "
                f"{arguments.turns} turns, load {os.getloadavg()[0]:.1f} at the end"
            )
            print("workers  whole s  from the first ready s  times as fast as the first")
            for workers, (whole, working) in best.items():
                ratio = best[arguments.workers[0]][1] / working
                print(f"{workers:7} {whole:8.1f} {working:23.1f} {ratio:27.2f}")


def nothing(task: Task, model: object) -> Outcome:
    return Done([], b"", 0.001)


def load_nothing(model: str, device: str) -> None:
    return None


def rows_of(task: Task, steps: int) -> list[Row]:
    name = task.case.objects[0][1]
    numbers = np.random.default_rng().random((steps, 4)).tolist()
    return [
        Row(task.case.name, "CT", name, task.model, 0, step, "click +", *own, 10**9 + step, False)
        for step, own in enumerate(numbers)
    ]


def measure_driver(arguments: argparse.Namespace) -> None:
    picture = os.urandom(45_000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n in range(2 * arguments.count):
            (folder / f"{n}.nii.gz").touch()
        cases = [
            Case(
                f"case{n}",
                folder,
                folder / f"{2 * n}.nii.gz",
                folder / f"{2 * n + 1}.nii.gz",
                "CT",
                ((1, "liver"),),
            )
            for n in range(arguments.count)
        ]
        tasks = [Task(case, model, 0) for case in cases for model in ("a", "b", "c")]
        protocol = Protocol()
        begun = time.perf_counter()
        results = ResultsFolder(folder / "out", cases, protocol)
        print(f"{len(cases)} cases looked at: {time.perf_counter() - begun:.2f} s")
        results.begin(tasks)

        def outcome(task: Task) -> tuple[WorkerEvent, float]:
            return Done(rows_of(task, protocol.clicks + 1), picture, 1.0), 1.0

        executor = SimulatedExecutor(outcome, {"gpu": 64})
        held, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        for _, made in run_tasks(Scheduler(tasks, executor, executor.clock), executor):
            results.add(made)
        took = time.perf_counter() - begun
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
        print(
            f"{len(tasks)} tasks of 6 rows taken in, pictures too: {1000 * took / len(tasks):.2f} "
            f"ms each; the driver grew by {grown / 1024:.0f} MiB"
        )
        begun = time.perf_counter()
        results.finish()
        print(f"the files in order: {time.perf_counter() - begun:.2f} s")
        begun = time.perf_counter()
        again = ResultsFolder(folder / "out", cases, protocol)
        assert all(task in again for task in tasks)
        print(f"read again by the next run: {time.perf_counter() - begun:.2f} s")
    few = tasks[: arguments.few]
    one_model = [Task(task.case, "any", 0) for task in few]
    _, took = seconds_of(ProcessPool(load_nothing, nothing, "cpu", 1), one_model)
    print(f"a task there and back, a process: {1000 * took / len(few):.2f} ms")
    from MedSegFMLib.tasks.ray_executor import RayExecutor

    ray_executor = RayExecutor(load_nothing, nothing, "cpu", "local", {"any": "ellipsoid"}, 1, [])
    whole, took = seconds_of(ray_executor, one_model)
    print(
        f"a task there and back, Ray: {1000 * took / len(few):.2f} ms; "
        f"a worker there starts in {whole - took:.1f} s"
    )


def task_seconds(path: Path, models: Sequence[str]) -> dict[str, list[float]]:
    """Seconds in the model of each task of a results.csv."""
    rows = [row for row in read_records(path, Row) if row.model in models]
    return {
        model: [
            sum(row.seconds for row in own)
            for _, own in itertools.groupby(
                sorted((row for row in rows if row.model == model), key=lambda row: row.key),
                key=lambda row: row.key,
            )
        ]
        for model in models
    }


def simulate(
    seconds: Mapping[str, Callable[[], float]],
    arguments: argparse.Namespace,
    node_dies_at: float | None = None,
) -> SimulatedExecutor:
    def outcome(task: Task) -> tuple[WorkerEvent, float]:
        took = seconds[task.model]()
        return Done([], b"", took), took

    here = Path()
    cases = [Case(str(n), here, here, here, "CT", ()) for n in range(arguments.cases)]
    tasks = [Task(case, model, 0) for case in cases for model in seconds]
    executor = SimulatedExecutor(
        outcome,
        {"gpu": arguments.gpus},
        opened=lambda model: (Ready(), arguments.load_seconds),
        driver_seconds=arguments.driver_ms / 1000,
        node_size=arguments.node_gpus,
        node_dies_at=node_dies_at,
    )
    done = sum(
        len(own) for own, _ in run_tasks(Scheduler(tasks, executor, executor.clock), executor)
    )
    assert done == len(tasks)
    return executor


def measure_cluster(arguments: argparse.Namespace) -> None:
    models = arguments.models.split(",")
    measured = task_seconds(arguments.results, models)
    if not all(measured.values()):
        raise SystemExit(f"{arguments.results} holds no rows of one of {arguments.models}.")
    random = np.random.default_rng(0)

    def drawn(own: Sequence[float]) -> Callable[[], float]:
        return lambda: float(random.choice(own)) / arguments.speedup + arguments.other_seconds

    seconds = {model: drawn(own) for model, own in measured.items()}
    print(
        f"{arguments.cases} cases x {len(models)} models on {arguments.gpus} GPUs, "
        f"{arguments.node_gpus} a node"
    )
    for model, own in measured.items():
        print(
            f"measured ({arguments.results.name}): {model} {np.mean(own):.1f} s in the model a "
            f"task, {min(own):.1f} to {max(own):.1f}, {len(own)} tasks"
        )
    print(
        f"given: {arguments.driver_ms} ms of the driver a task, {arguments.other_seconds} s of "
        f"reading, scores and picture a task, {arguments.load_seconds} s to start and load"
    )
    print(f"assumed: a GPU is {arguments.speedup:g} times as fast as what was measured")
    whole = simulate(seconds, arguments)
    hours, gpu_seconds = whole.now / 3600, whole.now * arguments.gpus
    print(f"{hours:.2f} h, {hours * arguments.gpus:.0f} GPU hours; {len(whole.loads)} loads")
    for what, share in (
        ("at tasks", whole.spent["task"] / gpu_seconds),
        ("starting and loading", whole.spent["start"] / gpu_seconds),
        ("idle", 1 - sum(whole.spent.values()) / gpu_seconds),
    ):
        print(f"  GPUs {what}: {100 * share:.2f} %")
    print(f"  the driver is busy {100 * whole.driver_busy / whole.now:.1f} % of the time")
    broken = simulate(seconds, arguments, whole.now / 2)
    print(
        f"a node of {arguments.node_gpus} lost half-way: {broken.now / 3600:.2f} h, "
        f"{broken.spent['lost'] / 3600:.3f} GPU hours of work lost"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    workers = commands.add_parser("workers")
    workers.add_argument("--cases", type=Path, metavar="CASES.json")
    workers.add_argument("--count", type=int, default=16)
    workers.add_argument("--size", type=int, default=64)
    workers.add_argument("--clicks", type=int, default=5)
    workers.add_argument("--models", default="randomwalk,ensam")
    workers.add_argument("--turns", type=int, default=3)
    workers.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    workers.add_argument("--ray", action="store_true")
    workers.set_defaults(run=measure_workers)
    driver = commands.add_parser("driver")
    driver.add_argument("--count", type=int, default=10_000, help="cases, with three models each")
    driver.add_argument("--few", type=int, default=500, help="tasks that are really sent")
    driver.set_defaults(run=measure_driver)
    cluster = commands.add_parser("cluster")
    cluster.add_argument("results", type=Path, metavar="RESULTS.csv")
    cluster.add_argument("--models", default="ensam")
    cluster.add_argument("--cases", type=int, default=10_000)
    cluster.add_argument("--gpus", type=int, default=64)
    cluster.add_argument("--node-gpus", type=int, default=8)
    cluster.add_argument("--speedup", type=float, default=1.0, help="of a GPU, assumed")
    cluster.add_argument("--driver-ms", type=float, default=5.0)
    cluster.add_argument("--other-seconds", type=float, default=2.0)
    cluster.add_argument("--load-seconds", type=float, default=15.0)
    cluster.set_defaults(run=measure_cluster)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
