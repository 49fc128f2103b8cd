"""The way to a Ray cluster: one that runs, or one of this machine's own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from ...errors import ClusterError
from ..results.environment import usable_cores

_SECONDS_TO_ANSWER = 5.0
_SECONDS_TO_JOIN = 45.0
# No volume is kept in Ray's store, only rows and small pictures.
_STORE_BYTES = 128 * 1024**2
_QUIET = {"log_to_driver": False, "logging_level": "ERROR"}
_JOIN = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR')"


def connect(address: str, jobs: int | None) -> tuple[Any, Callable[[], None]]:
    """The module ray, joined to a cluster, and what leaves it again.

    address: HOST:PORT of a cluster that this machine is a node of, "auto" to find that, "local" for
    a cluster of so many processes (jobs; one per core by default) on this machine, which ends when
    it is left. Where this process has joined a cluster by itself that one is used.

    Raises ClusterError where Ray is not installed or no cluster answers, within a minute.
    """
    if find_spec("ray") is None:
        raise ClusterError(
            "Ray is not installed here; run: pip install 'medsegfm[cluster]', or leave --ray out."
        )
    # A hospital's machine reports to nobody.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return ray, lambda: None
    if address == "local":
        ray.init(
            address="local",
            num_cpus=jobs or usable_cores(),
            object_store_memory=_STORE_BYTES,
            include_dashboard=False,
            # Nobody else's network hears of it.
            _node_ip_address="127.0.0.1",
            **_QUIET,
        )
        return ray, ray.shutdown
    _check_answers(address)
    _check_joins(address)
    ray.init(address=address, **_QUIET)
    return ray, ray.shutdown


def _check_answers(address: str) -> None:
    """Raise ClusterError where nothing listens; Ray itself would wait for minutes, then exit."""
    if address == "auto":
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ClusterError(f"--ray is '{address}'; give HOST:PORT, auto or local.")
    try:
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"No Ray cluster answers at {address} ({error}); start one there with 'ray start "
            "--head', or use --ray local."
        ) from error


def _check_joins(address: str) -> None:
    """Raise ClusterError where a process, which can be ended, does not manage to join."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", _JOIN, address],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS_TO_JOIN,
            stdin=subprocess.DEVNULL,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(
            f"What answers at {address} is no Ray cluster that this machine can join; run the "
            "command on a node of the cluster, or use --ray local."
        ) from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or ["no word why"]
        raise ClusterError(
            f"The Ray cluster '{address}' cannot be joined ({said[-1]}); start one with 'ray "
            "start --head', or use --ray local."
        )
