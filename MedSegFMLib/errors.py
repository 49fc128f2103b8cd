"""The named errors of MedSegFM.

Each message is one sentence that states the bad value, the rule and the way out, so that the
command line and the panel can show it unchanged. The errors also derive from the built-in exception
that a Python caller would expect.
"""

from __future__ import annotations

from collections.abc import Iterable

# Longer messages, which contain a value from a file, lose their middle.
_MOST_CHARACTERS = 4000
_LAST_CHARACTERS = 500


class MedSegFMError(Exception):
    """Base class of all errors that a user can cause and correct."""

    def __str__(self) -> str:
        text = super().__str__()
        if len(text) <= _MOST_CHARACTERS:
            return text
        return f"{text[: _MOST_CHARACTERS - _LAST_CHARACTERS]} … {text[-_LAST_CHARACTERS:]}"


class GeometryError(MedSegFMError, ValueError):
    """A grid that is invalid or cannot be stored: singular, non-finite or empty."""


class VolumeError(MedSegFMError, ValueError):
    """A volume that cannot be read, or whose voxels cannot be segmented."""


class PromptError(MedSegFMError, ValueError):
    """A prompt that is outside the volume, degenerate, not finite or not supported by the model."""


class MaskError(MedSegFMError, ValueError):
    """An array that is not a mask, or two masks that are not on the same grid."""


class ModelError(MedSegFMError, ValueError):
    """An unknown model, or one whose packages are not installed."""


class WeightsError(MedSegFMError, OSError):
    """Weights that are missing, truncated, modified or for another network."""


class MissingPartError(WeightsError):
    """Weights that need another file, such as the network they adapt, which is not installed."""


class DeviceError(MedSegFMError, RuntimeError):
    """A device that does not exist or is out of memory."""


class CasesError(MedSegFMError, ValueError):
    """A list of cases, or one of its cases, that cannot be evaluated."""


class OutputError(MedSegFMError, OSError):
    """A result that cannot be written: no folder, no permission, a full disk, an unknown format."""


class TrainingError(MedSegFMError, ValueError):
    """Settings, data or a checkpoint that training cannot use."""


class WorkerError(MedSegFMError, RuntimeError):
    """The worker process ended, cannot be started, or sent an unreadable message."""


class ClusterError(MedSegFMError, RuntimeError):
    """A cluster that does not exist, cannot be reached, or does not match this program."""


class PageError(MedSegFMError, ValueError):
    """A request of a page in the browser that cannot be granted, or a server that cannot start."""


class Cancelled(MedSegFMError):
    """The user cancelled the work; nothing was changed."""


def numbers_text(values: Iterable[object]) -> str:
    """Format numbers, or nested sequences of them, for a message: "(12.5, 0, -3)"."""
    texts = (f"{v:.6g}" if isinstance(v, float | int) else _nested_text(v) for v in values)
    return f"({', '.join(texts)})"


def _nested_text(value: object) -> str:
    return numbers_text(value) if isinstance(value, Iterable) else str(value)
