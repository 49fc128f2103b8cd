"""`medsegfm worker`: the process that predicts for a client over a pipe or ssh."""

from __future__ import annotations

import argparse
import sys

from ..errors import WorkerError

SUMMARY = "run predictions for another computer over ssh; started by Slicer and other clients"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add no arguments: the command reads everything from its input."""


def run(arguments: argparse.Namespace) -> None:
    """Serve until the input ends.

    Raises:
        WorkerError: the input is a terminal, so there is no client.
    """
    from ..worker.server import main

    if sys.stdin is None or sys.stdin.isatty():
        raise WorkerError(
            "The worker cannot be run in a terminal; enter this computer as the worker's host in a "
            "client, which runs it over ssh."
        )
    main()
