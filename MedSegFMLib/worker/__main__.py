"""`python -m MedSegFMLib.worker`: the program that a client starts."""

from __future__ import annotations

from .server import main

main()
