"""The connection to a Ray cluster: a running one, or a new one on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from ..errors import ClusterError
from ..system.installing import extra_command
from ..system.threads import usable_cores

_SECONDS_TO_ANSWER = 5.0
_SECONDS_TO_JOIN = 45.0
# No volume is kept in Ray's store, only rows and small pictures.
_STORE_BYTES = 128 * 1024**2
_QUIET = {"log_to_driver": False, "logging_level": "ERROR"}
_JOIN = "import ray, sys; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR')"


def connect(address: str, jobs: int | None) -> tuple[Any, Callable[[], None]]:
    """Connect to a cluster.

    If this process is already connected to a cluster, that one is used.

    Args:
        address: HOST:PORT of a cluster of which this machine is a node, "auto" to find it, or
            "local" for a cluster on this machine that ends when it is left.
        jobs: the processes of a local cluster; by default one per core.

    Returns:
        The module ray, and a function that disconnects.

    Raises:
        ClusterError: Ray is not installed, or no cluster answers within a minute.
    """
    if find_spec("ray") is None:
        raise ClusterError(
            f"Ray is not installed here; run: {extra_command('cluster')}, or leave --ray out."
        )
    # No usage statistics may leave a hospital's machine.
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
            # The cluster is not reachable from the network.
            _node_ip_address="127.0.0.1",
            **_QUIET,
        )
        return ray, ray.shutdown
    _check_answers(address)
    _check_joins(address)
    ray.init(address=address, **_QUIET)
    return ray, ray.shutdown


def _check_answers(address: str) -> None:
    """Raise ClusterError if nothing listens; Ray itself would wait for minutes and then exit."""
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
    """Raise ClusterError if a process, which can be ended, cannot connect."""
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
            f"The service at {address} is not a Ray cluster that this machine can join; run the "
            "command on a node of the cluster, or use --ray local."
        ) from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["no reason given"]
        raise ClusterError(
            f"The Ray cluster '{address}' cannot be joined ({lines[-1]}); start one with 'ray "
            "start --head', or use --ray local."
        )
