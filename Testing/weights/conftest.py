"""Weights of no network, for tests of the files alone."""

from __future__ import annotations

import pytest

from MedSegFMLib.models import phantom_trial


class _NoTrial:
    left_out = ""

    def __init__(self, *_: object) -> None: ...

    def __call__(self, *_: object) -> None: ...


@pytest.fixture
def untried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line takes weights without a trial."""
    monkeypatch.setattr(phantom_trial, "PhantomTrial", _NoTrial)
