"""Runs a command in this process, as if it had been typed."""

from __future__ import annotations

import pytest

from MedSegFMLib.cli import main


def run(*words: object) -> int:
    try:
        return main([str(word) for word in words])
    except SystemExit as stopped:
        return int(stopped.code or 0)


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """Run what must be refused: status 2, one line on stderr, nothing on stdout."""
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1 and captured.out == ""
    return captured.err
