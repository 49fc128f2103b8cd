"""The command itself: what is missing, and arguments that are not valid."""

from __future__ import annotations

import pytest

from MedSegFMLib.commands import browser
from MedSegFMLib.commands.line import run


def test_without_its_packages_the_command_names_them_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(browser, "find_spec", lambda name: None if "trame" in name else name)
    assert run(["browser"]) == 2
    error = capsys.readouterr().err
    assert "(trame_slicer)" in error
    assert "[browser]" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--port", "70000"], "70000"),
        (["--port", "-1"], "-1"),
        (["--address", "seg.example.org"], "seg.example.org"),
        (["--address", "ftp://seg.example.org"], "ftp"),
        (["--closed-seconds", "0"], "0"),
        (["no-such-volume.nii.gz"], "no-such-volume"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_arguments_that_are_not_valid_are_named(
    words: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["browser", *words]) == 2
    assert named in capsys.readouterr().err


def test_a_port_that_is_in_use_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert run(["browser", "--no-open", "--port", str(port)]) == 2
    assert str(port) in capsys.readouterr().err
