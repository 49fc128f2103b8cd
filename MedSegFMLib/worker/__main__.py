"""`python -m MedSegFMLib.worker`: what a client starts."""

from __future__ import annotations

from .server import main

main()
