"""Damaged DICOM files: a named error for all that pydicom and the codecs raise, without its words.

Those may be the patient's: both repeat texts of the header.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ....errors import MedSegFMError, VolumeError
from ..decoding_errors import DECODING_ERRORS


def cut_short(path: Path) -> VolumeError:
    """The error for a file that is no whole DICOM file."""
    return VolumeError(
        f"{path} is a DICOM file that was cut short or is damaged; copy it again or move it out of "
        "the folder."
    )


class DamageNamed:
    """Convert what pydicom and decoders raise for damaged files to a named error."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or issubclass(kind, MedSegFMError):
            return
        is_theirs = kind.__module__.partition(".")[0] in ("pydicom", "imagecodecs")
        if is_theirs or issubclass(kind, DECODING_ERRORS):
            # Without its cause, whose text may be the patient's.
            raise cut_short(self._path) from None


@contextmanager
def without_warnings() -> Iterator[None]:
    """Suppress pydicom's warnings, which repeat values of headers."""
    logger = logging.getLogger("pydicom")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.disabled = was_disabled
