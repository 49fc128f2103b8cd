"""`python -m MedSegFMLib.worker`: the program that a client starts."""

from __future__ import annotations

from ..system import threads

# Before the server imports numpy.
threads.choose(())
from .server import main  # noqa: E402

main()
