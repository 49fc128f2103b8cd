"""Decoders in a process of their own: what crashes or hangs there is a damaged file here."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest

from MedSegFMLib.system.library_program import program
from MedSegFMLib.volumes.io.dicom import codec_process
from MedSegFMLib.volumes.io.dicom.codec_process import CodecProcess, DecodingFailed

imagecodecs = pytest.importorskip("imagecodecs")
FRAME = np.arange(48, dtype=np.uint16).reshape(6, 8)


@pytest.fixture
def decoders() -> Iterator[CodecProcess]:
    process = CodecProcess(program(codec_process.__name__))
    yield process
    process.close()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_frames_come_back_exactly(decoders: CodecProcess) -> None:
    for name in ("jpegls", "jpeg2k"):
        encoded = getattr(imagecodecs, f"{name}_encode")(FRAME, level=0)
        assert np.array_equal(decoders.decode(name, "<u2", bytes(encoded), 1000), FRAME)


def test_damaged_bytes_are_refused_and_the_next_frame_is_decoded(decoders: CodecProcess) -> None:
    encoded = bytes(imagecodecs.jpegls_encode(FRAME))
    with pytest.raises(DecodingFailed):
        decoders.decode("jpegls", "<u2", encoded[:20], 1000)
    assert np.array_equal(decoders.decode("jpegls", "<u2", encoded, 1000), FRAME)


def test_more_numbers_than_the_header_states_are_refused(decoders: CodecProcess) -> None:
    with pytest.raises(DecodingFailed):
        decoders.decode("jpegls", "<u2", bytes(imagecodecs.jpegls_encode(FRAME)), 95)


def test_a_decoder_that_crashes_is_a_damaged_frame() -> None:
    crash = "import os, sys; sys.stdin.buffer.read(40); os.abort()"
    process = CodecProcess(python(crash))
    for _ in range(2):
        with pytest.raises(DecodingFailed):
            process.decode("jpegls", "<u2", b"frame", 1000)
    process.close()


def test_a_decoder_that_never_ends_is_stopped() -> None:
    process = CodecProcess(python("import time; time.sleep(3600)"), seconds=0.2)
    with pytest.raises(DecodingFailed):
        process.decode("jpegls", "<u2", b"frame", 1000)
    process.close()
