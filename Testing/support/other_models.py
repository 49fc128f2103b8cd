"""The command with a model of words (as `ellipsoid`), and with ENSAM's weights published elsewhere.

PUBLISHED is the address of ENSAM's weights, which are then not among those that are shipped.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace

import words_model

from MedSegFMLib.browser import serve
from MedSegFMLib.cli import main
from MedSegFMLib.weights import catalogue, store

PUBLISHED = "MEDSEGFM_TEST_PUBLISHED"


def _publish(address: str) -> None:
    shipped = catalogue.entry("ensam")
    moved = replace(
        shipped,
        url=address,
        licence="CC-BY-NC-SA-4.0",
        licence_url="https://creativecommons.org/licenses/by-nc-sa/4.0/",
        permissive=False,
        file="published.safetensors",
    )
    entries = {**catalogue.entries(), "ensam": moved}
    for module in (catalogue, store):
        module.entries = lambda: entries  # type: ignore[attr-defined]


if __name__ == "__main__":
    words_model.register(guesses=False)
    _publish(os.environ[PUBLISHED])
    serve.LocalLauncher = words_model.WordsLauncher  # type: ignore[misc]
    sys.exit(main())
