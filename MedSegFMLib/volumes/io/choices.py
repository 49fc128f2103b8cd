"""Choices that only some formats offer: refused for the others."""

from __future__ import annotations

from pathlib import Path

from ...errors import VolumeError


def check_is_dicom(path: Path, series: str | int | None, suv: bool) -> None:
    """Check that nothing was chosen that only DICOM has."""
    if suv:
        raise VolumeError(f"{path} is not DICOM, so that no SUV can be computed; read it without.")
    if series is not None:
        raise VolumeError(f"{path} is not DICOM and has no series; leave --series out.")


def check_no_pyramid(path: Path, level: int | None, channel: str | int | None) -> None:
    """Check that nothing was chosen that only OME-Zarr has."""
    for name, value in (("level", level), ("channel", channel)):
        if value is not None:
            raise VolumeError(f"{path} is not OME-Zarr and has no {name}s; leave --{name} out.")
