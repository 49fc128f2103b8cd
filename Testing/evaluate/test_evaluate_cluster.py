"""`medsegfm evaluate --ray`: the same rows as without, whatever happens to the workers."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from command_line import refused, run
from sample_volumes import make_blob
from waiting import GENEROUS_SECONDS, wait_until

from MedSegFMLib import Geometry, Volume, __version__
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.evaluate.protocol import Protocol
from MedSegFMLib.evaluate.records import Outcome, Row, Task
from MedSegFMLib.evaluate.run import runner
from MedSegFMLib.evaluate.run.runner import evaluate
from MedSegFMLib.evaluate.run.task import run_task
from MedSegFMLib.tasks import ray_connection, ray_executor
from MedSegFMLib.tasks.csv_files import read_records
from MedSegFMLib.tasks.environment import machine
from MedSegFMLib.tasks.executor import ModelFailed, Ready
from MedSegFMLib.tasks.records import ALL_CASES, Crash, Failure

ray = pytest.importorskip("ray")
# What runs in a worker goes there as it is; the cluster does not know where tests lie.
ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
NAMES = ["a", "b", "c", "d"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A cluster of one node with two cores and no weights but the shipped ones, for all tests."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["MEDSEGFM_WEIGHTS"] = str(tmp_path_factory.mktemp("weights"))
    node = {"num_cpus": 2, "object_store_memory": 128 * 1024**2, "include_dashboard": False}
    running = Cluster(initialize_head=True, head_node_args=node)
    yield running.address
    running.shutdown()
    del os.environ["MEDSEGFM_WEIGHTS"]


@pytest.fixture
def cases_path(tmp_path: Path) -> Path:
    """Four cases of one object."""
    folder = tmp_path / "cases"
    folder.mkdir()
    entries = []
    for n, name in enumerate(NAMES):
        volume, mask = make_blob(Geometry.from_spacing((12, 14, 16), (0.9, 0.9, 2.1)), seed=n)
        volume.write(folder / f"{name}.nrrd")
        Volume(mask.astype(np.uint8), volume.geometry).write(folder / f"{name}-label.nrrd")
        files = {"image": f"{name}.nrrd", "label": f"{name}-label.nrrd"}
        entries.append({"name": name, **files, "modality": "MR", "objects": {"1": "ball"}})
    (folder / "cases.json").write_text(json.dumps({"cases": entries}))
    return folder / "cases.json"


def without_costs(folder: Path) -> list[tuple[Any, ...]]:
    return [
        tuple(getattr(row, name) for name in Row.__slots__ if name not in ("seconds", "peak_bytes"))
        for row in read_records(folder / "results.csv", Row)
    ]


def _worker_killed_once_on_b(task: Task, *others: Any, **options: Any) -> Outcome:
    """Runs in an actor, which ends without a word."""
    mark = task.case.folder / "killed"
    if task.case.name == "b" and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return run_task(task, *others, **options)


def test_every_row_comes_though_a_worker_is_killed(
    address: str, cases_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = read_cases(cases_path), ["randomwalk", "ellipsoid"], [0]
    protocol = Protocol(clicks=1, jitter=0.1)
    evaluate(*words, tmp_path / "alone", protocol, jobs=1)
    monkeypatch.setattr(runner, "run_task", _worker_killed_once_on_b)
    finished = evaluate(*words, tmp_path / "ray", protocol, ray=address)
    rows, machines = finished.rows, finished.machines
    assert (cases_path.parent / "killed").exists() and finished.failures == []
    assert len(rows) == 4 * 2 * 2 and rows == read_records(tmp_path / "ray" / "results.csv", Row)
    assert without_costs(tmp_path / "ray") == without_costs(tmp_path / "alone")
    alone, there = (
        sorted(path.name for path in (tmp_path / name / "pictures").iterdir())
        for name in ("alone", "ray")
    )
    assert alone == there and len(there) == 8
    assert [one["versions"]["medsegfm"] for one in machines] == [__version__]


def _broken_on_c(task: Task, *others: Any, **options: Any) -> Outcome:
    """Runs in an actor; where a file lies, `c` fails in a way that nobody foresaw."""
    with (task.case.folder / "tried").open("a") as stream:
        stream.write(task.case.name)
    if task.case.name == "c" and (task.case.folder / "broken").exists():
        return Crash(*task.key, "Unexpected OSError (no more).")
    return run_task(task, *others, **options)


def test_what_fails_is_tried_once_more_then_listed_and_done_by_the_next_run(
    address: str,
    cases_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(runner, "run_task", _broken_on_c)
    folder, out = cases_path.parent, tmp_path / "out"
    (folder / "broken").touch()
    start, end = ["evaluate", cases_path, "--models"], ["--clicks", 0, "--out", out, "--ray"]
    assert run(*start, "sam,ellipsoid", *end, address) == 1
    assert sorted((folder / "tried").read_text(encoding="utf-8")) == list("abccd")
    listed = {(one.case, one.model) for one in read_records(out / "failures.csv", Failure)}
    assert listed == {("c", "ellipsoid"), (ALL_CASES, "sam")}
    said = capsys.readouterr().err
    assert "Not done: c, ellipsoid: Unexpected OSError (no more)." in said
    assert "Not done: (all cases), sam: No trained weights of sam" in said
    first = read_records(out / "results.csv", Row)
    assert [row.case for row in first] == ["a", "b", "d"]
    # What is done stays as it is, the seconds too.
    (folder / "broken").unlink()
    (folder / "tried").unlink()
    assert run(*start, "ellipsoid", *end, address) == 1
    assert (folder / "tried").read_text(encoding="utf-8") == "c"
    rows = read_records(out / "results.csv", Row)
    assert [row.case for row in rows] == NAMES and set(first) < set(rows)
    assert [one.model for one in read_records(out / "failures.csv", Failure)] == ["sam"]


def test_a_model_that_no_node_has_room_for_is_a_failure_that_says_so(
    address: str, cases_path: Path, tmp_path: Path
) -> None:
    words = read_cases(cases_path), ["ensam"], [0], tmp_path / "o", Protocol()
    finished = evaluate(*words, ray=address, device="cuda")
    failures = finished.failures
    assert (
        finished.rows == [] and finished.done == 0 and [one.case for one in failures] == [ALL_CASES]
    )
    assert "ensam needs a core with a GPU with 0.4 GB in one node" in failures[0].reason


class FullCluster:
    """Stands for Ray; ready: the calls, such as "a load", that have come to their ends."""

    exceptions = ray.exceptions

    def __init__(self) -> None:
        self.ready: set[str] = set()
        self.names = iter("ab")

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 2.0}

    def nodes(self) -> list[dict[str, Any]]:
        return [{"Alive": True, "Resources": {"CPU": 2.0, "memory": 1e12}}]

    def remote(self, kind: type) -> Any:
        return SimpleNamespace(options=lambda **asked: SimpleNamespace(remote=self.actor))

    def actor(self, *words: Any) -> Any:
        name = next(self.names)
        calls = {own: f"{name} {own}" for own in ("about", "load", "work")}
        return SimpleNamespace(
            **{own: SimpleNamespace(remote=lambda *_, at=at: at) for own, at in calls.items()}
        )

    def wait(self, waited: list[str], **options: Any) -> tuple[list[str], list[str]]:
        return [one for one in waited if one in self.ready], []

    def get(self, reference: str) -> Any:
        return machine() if reference.endswith("about") else Ready()

    def kill(self, actor: Any) -> None:
        """It is gone."""


def test_a_worker_that_waited_while_others_worked_is_given_time_to_take_their_place(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there, clock = FullCluster(), [0.0]
    monkeypatch.setattr(ray_executor, "connect", lambda address, jobs: (there, lambda: None))
    monkeypatch.setattr(ray_executor, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    names = {"randomwalk": "randomwalk"}
    executor = ray_executor.RayExecutor(print, print, "cpu", "auto", names, None, [])  # type: ignore[arg-type]
    first, second = executor.start_worker("randomwalk"), executor.start_worker("randomwalk")
    there.ready = {"a about", "a load"}
    assert executor.wait() == [] and executor.wait() == [(first, Ready())]
    executor.give(first, None)  # type: ignore[arg-type]
    clock[0] = 5000.0
    assert executor.wait() == []
    executor.stop_worker(first)
    clock[0] += 1
    assert executor.wait() == []
    clock[0] += 601
    ((worker, event),) = executor.wait()
    assert worker == second and isinstance(event, ModelFailed) and "no place" in event.reason


_SLOW_ON_D = """
import sys, time
from MedSegFMLib.cli import main
from MedSegFMLib.evaluate.run import runner
from MedSegFMLib.evaluate.run.task import run_task

def slow(task, *others, **options):
    if task.case.name == "d":
        time.sleep(3600)
    return run_task(task, *others, **options)

runner.run_task = slow
sys.exit(main(sys.argv[1:]))
"""


def _processes_marked(mark: str) -> list[str]:
    """The processes, but for zombies, in whose environment the mark stands."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_text(encoding="utf-8").replace("\0", " "))
        except OSError:
            continue
    return found


def test_ctrl_c_stops_at_once_and_leaves_no_process_of_a_cluster_of_its_own(
    cases_path: Path, tmp_path: Path
) -> None:
    script, out, mark = tmp_path / "slow.py", tmp_path / "out", f"MARK={tmp_path}"
    script.write_text(_SLOW_ON_D)
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--out", out, "--clicks", "0"]
    root = str(Path(__file__).parents[2])
    with subprocess.Popen(
        [sys.executable, script, *words, "--ray", "local", "--jobs", "2"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": root, "MARK": str(tmp_path)},
        start_new_session=True,
    ) as program:
        assert program.stderr is not None

        def is_at_the_slow_one() -> bool:
            assert program.poll() is None, program.stderr.read()
            return len(read_records(out / "results.csv", Row)) == 3

        wait_until(is_at_the_slow_one)
        assert len(_processes_marked(mark)) > 2
        # As a terminal does: to every process of the group.
        os.killpg(program.pid, signal.SIGINT)
        # At once: the case it is at takes an hour.
        assert program.wait(GENEROUS_SECONDS) == 130
        assert program.stderr.read().splitlines()[-1].startswith("medsegfm: interrupted")
    wait_until(lambda: not _processes_marked(mark), describe=lambda: _processes_marked(mark))
    # As they came: only a run that ends puts them in order.
    assert {row.case for row in read_records(out / "results.csv", Row)} == {"a", "b", "c"}


def test_a_cluster_that_is_not_there_is_said_at_once(
    cases_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--out", tmp_path / "out"]
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        # Something answers there that is no cluster.
        monkeypatch.setattr(ray_connection, "_SECONDS_TO_JOIN", 3.0)
        said = refused(capsys, *words, "--ray", f"127.0.0.1:{port}")
        assert "is not a Ray cluster that this machine can join" in said
    said = refused(capsys, *words, "--ray", f"127.0.0.1:{port}")
    assert f"No Ray cluster answers at 127.0.0.1:{port} (" in said


def test_choices_that_do_not_fit_a_cluster_are_refused(
    cases_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["evaluate", cases_path, "--models", "ellipsoid", "--out", tmp_path / "out", "--ray"]
    assert "--ray is 'nowhere'; give HOST:PORT" in refused(capsys, *words, "nowhere")
    said = refused(capsys, *words, "local", "--device", "cuda:1")
    assert "Ray chooses the GPU" in said
    monkeypatch.setattr(ray_connection, "find_spec", lambda _: None)
    assert 'pip install ".[cluster]"' in refused(capsys, *words, "local")
