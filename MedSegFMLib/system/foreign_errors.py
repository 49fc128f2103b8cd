"""The one boundary to foreign code: whatever it raises becomes a named error with its cause.

nnU-Net, MONAI, transformers, torch and OpenVINO raise what they like: KeyError, AssertionError,
RecursionError, SystemExit, and panics of Rust, which are no `Exception`. They pass the boundary as
a named error. Only Ctrl-C, the named errors themselves, among them `Cancelled`, and what the
caller's own progress function raises pass unchanged.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import MedSegFMError, ModelError, WeightsError
from ..progress import Progress
from .device import memory_errors

_log = logging.getLogger(__name__)

_MOST_CHARACTERS = 200
_CALLERS = "_medsegfm_raised_by_caller"


@contextmanager
def loading_errors(
    model: str, path: Path, advice: str, kind: type[MedSegFMError] = WeightsError
) -> Iterator[None]:
    """The boundary while a network is built and its weights are loaded.

    Args:
        model: The name of the model.
        path: The file or folder of the weights, for the message.
        advice: The way out, for the message.
        kind: The class of the named error.

    Raises:
        MedSegFMError: As `kind`, or as DeviceError if the memory is exhausted.
    """
    with _named(model, kind, f"{path} cannot be loaded as weights of {model}", advice):
        yield


@contextmanager
def predicting_errors(model: str, path: Path | None = None) -> Iterator[None]:
    """The boundary while a network runs.

    Args:
        model: The name of the model.
        path: The file or folder of its weights, if it is known.

    Raises:
        ModelError: If the network fails.
        DeviceError: If the memory is exhausted.
    """
    weights = "" if path is None else f" with the weights {path}"
    advice = "check its options and weights, or use another model"
    with _named(
        model, ModelError, f"The model {model}{weights} failed to segment the volume", advice
    ):
        yield


@contextmanager
def creating_errors(model: str) -> Iterator[None]:
    """The boundary around a model's `create`, whatever it loads.

    Raises:
        ModelError: If it raises anything but a named error.
        DeviceError: If the memory is exhausted.
    """
    advice = "check its options and weights and that its packages are completely installed"
    with _named(model, ModelError, f"The model {model} cannot be loaded", advice):
        yield


def callers(progress: Progress) -> Progress:
    """The same progress, whose exceptions pass every boundary unchanged.

    A worker's progress raises BrokenPipeError if its client has ended, for instance.
    """

    def report(fraction: float, phrase: str) -> None:
        try:
            progress(fraction, phrase)
        except BaseException as error:
            setattr(error, _CALLERS, True)
            raise

    return report


def check_finite_output(array: NDArray[np.floating], model: str, path: Path | None = None) -> None:
    """Check that the numbers which a network returned are finite.

    Comparisons with NaN are false, so that an object would silently be empty.

    Raises:
        ModelError: If one is NaN or infinite.
    """
    # The extremes need no further memory, and both are NaN if any value is.
    if array.size and not (np.isfinite(array.min()) and np.isfinite(array.max())):
        weights = "" if path is None else f" with the weights {path}"
        raise ModelError(
            f"The model {model}{weights} returned numbers that are not finite for this volume; "
            "give it a volume with intensities like those of its training, or other weights."
        )


def fault_of(error: BaseException) -> str:
    """An exception as part of a sentence: its class and the beginning of its text in one line."""
    try:
        text = str(error)
    except Exception:  # noqa: BLE001 - the text, too, is computed by foreign code
        text = ""
    words = "".join(c if c.isprintable() else " " for c in text[: 4 * _MOST_CHARACTERS]).split()
    name, short = type(error).__name__, " ".join(words)[:_MOST_CHARACTERS].rstrip(" .")
    return f"{name}: {short}" if short else name


@contextmanager
def _named(model: str, kind: type[MedSegFMError], failure: str, advice: str) -> Iterator[None]:
    try:
        with memory_errors(model):
            yield
    except (MedSegFMError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        if getattr(error, _CALLERS, False):
            raise
        _log.debug("%s", failure, exc_info=True)
        raise kind(f"{failure} ({fault_of(error)}); {advice}.") from error
