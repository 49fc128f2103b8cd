"""The named errors of MedSegFM.

Each carries one sentence that names the bad value, the rule and the way out, so that the command
line and the panel can show it as it is. They also derive from the built-in exception a Python
caller would expect.
"""

from __future__ import annotations

from collections.abc import Iterable


class MedSegFMError(Exception):
    """Base of every error that a user can cause and mend."""


class GeometryError(MedSegFMError, ValueError):
    """A grid that cannot exist or cannot be stored: singular, non-finite, empty or sheared."""


class VolumeError(MedSegFMError, ValueError):
    """A volume that cannot be read, or whose voxels cannot be segmented."""


class PromptError(MedSegFMError, ValueError):
    """A prompt that is outside the volume, degenerate, not finite or not taken by the model."""


class MaskError(MedSegFMError, ValueError):
    """An array that is no mask, or two masks that do not lie on the same grid."""


class ModelError(MedSegFMError, ValueError):
    """An unknown model, or one whose packages are not installed."""


class WeightsError(MedSegFMError, OSError):
    """Weights that are missing, truncated, altered or of another network."""


class DeviceError(MedSegFMError, RuntimeError):
    """A device that is not there, or has no memory left."""


class CasesError(MedSegFMError, ValueError):
    """A list of cases, or one of its cases, that cannot be evaluated."""


class OutputError(MedSegFMError, OSError):
    """A result that cannot be written: no folder, no permission, a full disk, an unknown format."""


class TrainingError(MedSegFMError, ValueError):
    """Settings, data or a checkpoint that training cannot go on with."""


class WorkerError(MedSegFMError, RuntimeError):
    """The process that predicts ended, cannot be started, or says what nobody can read."""


class ClusterError(MedSegFMError, RuntimeError):
    """A cluster that is not there, cannot be reached, or that this program does not fit."""


class Cancelled(MedSegFMError):
    """The user asked for the work to stop; nothing was changed."""


def numbers_text(values: Iterable[object]) -> str:
    """Numbers, or nested sequences of them, as a message shows them: "(12.5, 0, -3)"."""
    words = (f"{v:.6g}" if isinstance(v, float | int) else _nested_text(v) for v in values)
    return f"({', '.join(words)})"


def _nested_text(value: object) -> str:
    return numbers_text(value) if isinstance(value, Iterable) else str(value)
