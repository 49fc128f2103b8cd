"""An executor on a Ray cluster, whose workers are actors with one model each."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from .. import __version__
from ..errors import ClusterError
from ..registry import card
from .environment import machine
from .executor import Load, ModelFailed, Ready, Work, WorkerDied, WorkerEvent
from .ray_connection import connect
from .records import Task

_COLOURS = re.compile("\x1b\\[[0-9;]*m")
# How long workers may wait for a place while nothing else runs in the cluster.
_START_SECONDS = 600.0
# A wait ends after this time even without events, for Ctrl-C and for checks.
_WAIT_SECONDS = 1.0


@dataclass
class _Worker:
    """An actor and its pending call.

    Attributes:
        actor: the actor.
        model: its model.
        called: the method whose result is pending.
        reference: the reference to that result.
    """

    actor: Any
    model: str
    called: str = ""
    reference: Any = field(default=None, repr=False)


class RayExecutor:
    """An `Executor` with actors, each with a GPU for models that can use one.

    Cases, weights and this package must be on every node under the same paths; `load` and `work`
    are imported there by name.

    Args:
        load: loads a model.
        work: runs a task.
        device: the device of the models.
        address: as for `connect`.
        names: the registered name of each model.
        jobs: the maximal number of workers of each kind; None for the number of GPUs, or cores.
        machines: a list to which the machines of the workers are added, each once.

    Raises:
        ClusterError: there is no such cluster.
    """

    alone = False

    def __init__(
        self,
        load: Load,
        work: Work,
        device: str,
        address: str,
        names: Mapping[str, str],
        jobs: int | None,
        machines: list[dict[str, Any]],
    ) -> None:
        if device not in ("auto", "cpu", "gpu", "cuda"):
            raise ClusterError(f"--device is {device}, but Ray chooses the GPU; give gpu or auto.")
        self._ray, self._disconnect = connect(address, jobs)
        self._duty = load, work
        self._device = device
        self._names = names
        self._machines = machines
        self._workers: dict[int, _Worker] = {}
        self._failed: list[tuple[int, WorkerEvent]] = []
        self._numbers = itertools.count(1)
        # The time of the last progress; no worker has waited in vain for longer.
        self._moved = time.monotonic()
        self._gpus = 0 if device == "cpu" else int(self._total("GPU"))
        self.capacity = self._count_capacity(jobs)

    def resource(self, model: str) -> str:
        """Whether the model's workers use a GPU or only a core."""
        on_cpu = card(self._names[model]).cpu_only or not (
            self._gpus or self._device in ("gpu", "cuda")
        )
        return "cpu" if on_cpu else "gpu"

    def start_worker(self, model: str) -> int:
        """Request an actor; Ray starts it when there is room."""
        number = next(self._numbers)
        need = self._need(model)
        lacking = self._lacking(need)
        if lacking:
            reason = (
                f"The model {model} needs {lacking} in one node; add such a node to the cluster, "
                "or leave the model out."
            )
            self._failed.append((number, ModelFailed(reason)))
            return number
        load, work = self._duty
        # With one core, Ray restricts an actor to one thread.
        actor = (
            self._ray.remote(_Actor)
            .options(
                num_cpus=need["CPU"],
                num_gpus=need["GPU"],
                memory=need["memory"] or None,
            )
            .remote(model, load, work, self._device_of(need))
        )
        self._workers[number] = _Worker(actor, model)
        self._call(number, "about")
        self._moved = time.monotonic()
        return number

    def give(self, worker: int, task: Task) -> None:
        """Send the task."""
        self._call(worker, "work", task)

    def wait(self) -> list[tuple[int, WorkerEvent]]:
        """Return the events of all workers that have some; returns soon in any case."""
        if self._failed:
            events, self._failed = self._failed, []
            return events
        references = {own.reference: number for number, own in self._workers.items()}
        waited = list(references)
        if not self._ray.wait(waited, timeout=_WAIT_SECONDS)[0]:
            return self._stuck()
        self._moved = time.monotonic()
        ready, _ = self._ray.wait(waited, num_returns=len(waited), timeout=0)
        events_of_ready = [
            (references[reference], self._take(references[reference])) for reference in ready
        ]
        return [(number, event) for number, event in events_of_ready if event is not None]

    def stop_worker(self, worker: int) -> None:
        """End the actor, if there is one."""
        if worker in self._workers:
            self._ray.kill(self._workers.pop(worker).actor)

    def close(self) -> None:
        """End all actors, and a cluster that was started for this executor."""
        # Ray may have ended, and its actors with it.
        with suppress(Exception):
            for worker in list(self._workers):
                self.stop_worker(worker)
        self._disconnect()

    def _call(self, number: int, method: str, *args: Any) -> None:
        worker = self._workers[number]
        worker.called = method
        worker.reference = getattr(worker.actor, method).remote(*args)

    def _take(self, number: int) -> WorkerEvent | None:
        """The result of the last call; None if the next step of the start was begun instead."""
        worker = self._workers[number]
        try:
            result = self._ray.get(worker.reference)
        except (self._ray.exceptions.RayError, self._ray.exceptions.RayTaskError) as error:
            return WorkerDied(_in_words(error))
        if worker.called != "about":
            event: WorkerEvent = result
            return event
        if result["versions"]["medsegfm"] != __version__:
            return ModelFailed(
                f"A node of the cluster has medsegfm {result['versions']['medsegfm']}, this is "
                f"{__version__}; install the same on all."
            )
        if result not in self._machines:
            self._machines.append(result)
        self._call(number, "load")
        return None

    def _stuck(self) -> list[tuple[int, WorkerEvent]]:
        """Workers that have waited too long for a place, while no other worker could free one."""
        now = time.monotonic()
        if any(worker.called != "about" for worker in self._workers.values()):
            self._moved = now
        if now - self._moved < _START_SECONDS:
            return []
        reason = (
            f"The cluster had no place for a worker in {_START_SECONDS / 60:g} minutes; free some, "
            "or request fewer with --jobs."
        )
        return [(number, ModelFailed(reason)) for number in self._workers]

    def _need(self, model: str) -> dict[str, int]:
        memory = card(self._names[model]).base_bytes
        return {"CPU": 1, "GPU": int(self.resource(model) == "gpu"), "memory": memory}

    def _device_of(self, need: Mapping[str, int]) -> str:
        return "cpu" if self._device == "auto" and not need["GPU"] else self._device

    def _lacking(self, need: Mapping[str, int]) -> str:
        """A description of what no single node has; empty if one has all."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= n for name, n in need.items()) for node in nodes):
            return ""
        texts = {"CPU": "a core", "GPU": "a GPU", "memory": f"{need['memory'] / 1e9:.1f} GB"}
        return " with ".join(text for name, text in texts.items() if need[name])

    def _total(self, resource: str) -> float:
        return float(self._ray.cluster_resources().get(resource, 0))

    def _count_capacity(self, jobs: int | None) -> dict[str, int]:
        """Each worker uses a core; those on GPUs come first if both kinds are needed."""
        resources = {self.resource(model) for model in self._names}
        cores = int(self._total("CPU"))
        gpu = min(self._gpus, cores)
        cpu = cores - gpu if "gpu" in resources else cores
        return {resource: max(1, min(n, jobs or n)) for resource, n in (("gpu", gpu), ("cpu", cpu))}


class _Actor:
    """The code that runs on a node, as a Ray actor."""

    def __init__(self, model: str, load: Load, work: Work, device: str) -> None:
        self._duty = model, load, work, device
        self._loaded: Any = None

    def about(self) -> dict[str, Any]:
        """The hardware and versions of the node."""
        return machine()

    def load(self) -> Ready | ModelFailed:
        """Load the model."""
        model, load, _, device = self._duty
        self._loaded = load(model, device)
        return self._loaded if isinstance(self._loaded, ModelFailed) else Ready()

    def work(self, task: Task) -> WorkerEvent:
        """Run a task."""
        return self._duty[2](task, self._loaded)


def _in_words(error: Exception) -> str:
    """The line of Ray's message that says what happened."""
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # An error in our code comes with its traceback; its message is at the end.
    has_traceback = any("Traceback" in line or line.startswith("File ") for line in lines)
    return lines[-1 if has_traceback else 0].rstrip(".")[:200]
