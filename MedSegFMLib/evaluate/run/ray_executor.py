"""An executor on a Ray cluster: workers are actors, each of which holds one model."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from ... import __version__
from ...errors import ClusterError
from ...registry import card
from ..records import Task
from ..results.environment import machine
from .executor import Load, ModelFailed, Ready, Work, WorkerDied, WorkerEvent
from .ray_connection import connect

_COLOURS = re.compile("\x1b\\[[0-9;]*m")
# How long workers may wait for a place while nothing else is going on in the cluster.
_START_SECONDS = 600.0
# So often does a wait end without news, for Ctrl-C and for what has to be looked at.
_WAIT_SECONDS = 1.0


@dataclass
class _Worker:
    """An actor and what it is at. called: the method whose end is waited for."""

    actor: Any
    model: str
    called: str = ""
    reference: Any = field(default=None, repr=False)


class RayExecutor:
    """An `Executor` of actors; a GPU each for the models that can use one.

    address: as `connect` takes it. names: the registered name of each model. jobs: the most workers
    of a kind, None for as many as there are GPUs, or cores. machines: takes in what the computers
    of the workers are, each once.

    Cases, weights and this package have to be on every node under the same paths; load and work are
    found there by their names. Raises ClusterError where there is no such cluster.
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
        if device.startswith("cuda:"):
            raise ClusterError(f"--device is {device}, but Ray chooses the GPU; give cuda or auto.")
        self._ray, self._disconnect = connect(address, jobs)
        self._duty = load, work
        self._device = device
        self._names = names
        self._machines = machines
        self._workers: dict[int, _Worker] = {}
        self._failed: list[tuple[int, WorkerEvent]] = []
        self._numbers = itertools.count(1)
        # When anything last went on; no worker has waited in vain for longer.
        self._moved = time.monotonic()
        self._gpus = 0 if device == "cpu" else int(self._total("GPU"))
        self.capacity = self._count_capacity(jobs)

    def resource(self, model: str) -> str:
        """Whether the model's workers have a GPU or only a core."""
        on_cpu = card(self._names[model]).cpu_only or not (self._gpus or self._device == "cuda")
        return "cpu" if on_cpu else "gpu"

    def start_worker(self, model: str) -> int:
        """Ask for an actor; Ray starts it where there is room."""
        number = next(self._numbers)
        need = self._need(model)
        lacking = self._lacking(need)
        if lacking:
            reason = f"The model {model} needs {lacking} in one node; the cluster has no such node."
            self._failed.append((number, ModelFailed(reason)))
            return number
        load, work = self._duty
        # With one core Ray lets an actor compute with one thread.
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
        """The news of all that have some, soon in any case."""
        if self._failed:
            events, self._failed = self._failed, []
            return events
        references = {own.reference: number for number, own in self._workers.items()}
        waited = list(references)
        if not self._ray.wait(waited, timeout=_WAIT_SECONDS)[0]:
            return self._stuck()
        self._moved = time.monotonic()
        ready, _ = self._ray.wait(waited, num_returns=len(waited), timeout=0)
        found = [(references[reference], self._take(references[reference])) for reference in ready]
        return [(number, event) for number, event in found if event is not None]

    def stop_worker(self, worker: int) -> None:
        """End the actor, where there is one."""
        if worker in self._workers:
            self._ray.kill(self._workers.pop(worker).actor)

    def close(self) -> None:
        """End all actors, and a cluster that was started for this executor."""
        # Ray may be gone; what is left then ends with it.
        with suppress(Exception):
            for worker in list(self._workers):
                self.stop_worker(worker)
        self._disconnect()

    def _call(self, number: int, method: str, *args: Any) -> None:
        worker = self._workers[number]
        worker.called = method
        worker.reference = getattr(worker.actor, method).remote(*args)

    def _take(self, number: int) -> WorkerEvent | None:
        """What the last call gave; None where the next step of the start was begun instead."""
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
        """Workers that have waited too long for a place, with nobody at work who could make one."""
        now = time.monotonic()
        if any(worker.called != "about" for worker in self._workers.values()):
            self._moved = now
        if now - self._moved < _START_SECONDS:
            return []
        reason = (
            f"The cluster had no place for a worker in {_START_SECONDS / 60:g} minutes; free some, "
            "or ask for fewer with --jobs."
        )
        return [(number, ModelFailed(reason)) for number in self._workers]

    def _need(self, model: str) -> dict[str, int]:
        memory = card(self._names[model]).base_bytes
        return {"CPU": 1, "GPU": int(self.resource(model) == "gpu"), "memory": memory}

    def _device_of(self, need: Mapping[str, int]) -> str:
        return "cpu" if self._device == "auto" and not need["GPU"] else self._device

    def _lacking(self, need: Mapping[str, int]) -> str:
        """What no single node has, in words; nothing where one has all."""
        nodes = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        if any(all(node.get(name, 0) >= n for name, n in need.items()) for node in nodes):
            return ""
        texts = {"CPU": "a core", "GPU": "a GPU", "memory": f"{need['memory'] / 1e9:.1f} GB"}
        return " with ".join(text for name, text in texts.items() if need[name])

    def _total(self, resource: str) -> float:
        return float(self._ray.cluster_resources().get(resource, 0))

    def _count_capacity(self, jobs: int | None) -> dict[str, int]:
        """Each worker takes a core; those on GPUs come first, where both kinds are wanted."""
        resources = {self.resource(model) for model in self._names}
        cores = int(self._total("CPU"))
        gpu = min(self._gpus, cores)
        cpu = cores - gpu if "gpu" in resources else cores
        return {resource: max(1, min(n, jobs or n)) for resource, n in (("gpu", gpu), ("cpu", cpu))}


class _Actor:
    """What runs on a node; becomes an actor where Ray is at hand."""

    def __init__(self, model: str, load: Load, work: Work, device: str) -> None:
        self._duty = model, load, work, device
        self._loaded: Any = None

    def about(self) -> dict[str, Any]:
        """What the node is."""
        return machine()

    def load(self) -> Ready | ModelFailed:
        """Load the model."""
        model, load, _, device = self._duty
        self._loaded = load(model, device)
        return self._loaded if isinstance(self._loaded, ModelFailed) else Ready()

    def work(self, task: Task) -> WorkerEvent:
        """Do a task."""
        return self._duty[2](task, self._loaded)


def _in_words(error: Exception) -> str:
    """The one line of what Ray says that tells what happened; it can say much."""
    lines = [line.strip() for line in _COLOURS.sub("", str(error)).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    # An error of ours comes with its traceback; its own words stand at the end.
    has_traceback = any("Traceback" in line or line.startswith("File ") for line in lines)
    return lines[-1 if has_traceback else 0].rstrip(".")[:200]
