"""The boundary to foreign code: anything that it raises is a named error, and little passes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from MedSegFMLib.errors import Cancelled, DeviceError, MedSegFMError, ModelError, WeightsError
from MedSegFMLib.system.foreign_errors import (
    callers,
    check_finite_output,
    creating_errors,
    loading_errors,
    predicting_errors,
)


class Panic(BaseException):
    """As Rust's in Python: no `Exception`."""


class Mute(Exception):
    def __str__(self) -> str:
        raise RecursionError


class NotPrintable(Exception):
    def __str__(self) -> str:
        return "one\ntwo\x1b[31m" + "x" * 10_000


ERRORS = (
    *(KeyError("a"), IndexError(), AssertionError("b"), RecursionError(), OverflowError("c")),
    *(ZeroDivisionError(), RuntimeError("d"), ImportError("e"), UnicodeError("f"), OSError(5, "g")),
    *(StopIteration(), SystemExit(1), Panic("h"), Mute(), NotPrintable(), Warning("i")),
)


@pytest.mark.parametrize("raised", ERRORS, ids=lambda error: type(error).__name__)
def test_whatever_is_raised_becomes_one_sentence_with_its_cause(raised: BaseException) -> None:
    path = Path("weights")
    boundaries = (
        (loading_errors("m", path, "get it again"), WeightsError, "weights cannot be loaded"),
        (predicting_errors("m", path), ModelError, "m with the weights weights failed"),
        (creating_errors("m"), ModelError, "The model m cannot be loaded"),
    )
    for boundary, kind, words in boundaries:
        with pytest.raises(kind, match=words) as caught, boundary:
            raise raised
        assert caught.value.__cause__ is raised
        sentence = str(caught.value)
        assert sentence.isprintable() and len(sentence) < 500 and type(raised).__name__ in sentence


@pytest.mark.parametrize("raised", [MemoryError(), RuntimeError("can't allocate memory")])
def test_exhausted_memory_is_an_error_of_the_device(raised: Exception) -> None:
    with pytest.raises(DeviceError, match="not enough memory"), predicting_errors("m"):
        raise raised


@pytest.mark.parametrize("raised", [KeyboardInterrupt(), Cancelled("stop"), WeightsError("x")])
def test_ctrl_c_and_named_errors_pass_unchanged(raised: BaseException) -> None:
    with pytest.raises(type(raised)) as caught, predicting_errors("m"):
        raise raised
    assert caught.value is raised


def test_what_the_callers_own_progress_raises_passes_every_boundary() -> None:
    def broken(fraction: float, phrase: str) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError), predicting_errors("m"), creating_errors("m"):
        callers(broken)(0.5, "")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_named(value: float) -> None:
    array = np.zeros((2, 3), np.float32)
    check_finite_output(array, "m")
    check_finite_output(array[:0], "m")
    array[1, 1] = value
    with pytest.raises(ModelError, match="m returned numbers that are not finite"):
        check_finite_output(array, "m")


def test_a_message_with_a_long_value_keeps_its_beginning_and_its_end() -> None:
    text = str(MedSegFMError("a" + "x" * 100_000 + "; give another."))
    assert len(text) < 5000 and text.startswith("ax") and text.endswith("; give another.")
    assert str(WeightsError("short")) == "short"
