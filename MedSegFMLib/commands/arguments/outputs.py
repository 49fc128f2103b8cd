"""Checks of a command's output files before it computes: writable, and not among its inputs."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from ...errors import OutputError, VolumeError
from ...system.atomic_files import check_writable

# Endings of headers whose voxels are in other files, and the number of bytes searched for the names
# of those files.
_DETACHED_ENDINGS = (".mhd", ".nhdr")
_HEADER_BYTES = 1 << 20


def check_outputs(outputs: Sequence[Path], volume: Path, others: Sequence[Path] = ()) -> None:
    """Check that every output can be written and none replaces an input.

    Args:
        outputs: the files to write.
        volume: the input volume: a file, which may name others with its voxels, or a folder, in
            which nothing may be written.
        others: further input files.

    Raises:
        OutputError: an output cannot be written, replaces an input, or has the same name as
            another.
    """
    read = [volume, *_named_in_header(volume), *others]
    for path in outputs:
        check_writable(path)
        if volume.resolve() in path.resolve().parents:
            raise OutputError(f"{path} is inside the volume's folder; choose another folder.")
        for input_path in read:
            if path.exists() and input_path.exists() and path.samefile(input_path):
                raise OutputError(
                    f"{path} is an input of this command ({input_path}); give the output another "
                    "name."
                )
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise OutputError("Two outputs have the same name; give each a different one.")


def check_exists(volume: Path) -> None:
    """Check that an input is there, before its output is found fault with.

    Raises:
        VolumeError: it is not.
    """
    if not os.path.lexists(volume):
        raise VolumeError(f"{volume} does not exist; check the path.")


def _named_in_header(volume: Path) -> list[Path]:
    """The files that the lines of a detached header may name."""
    if volume.suffix.lower() not in _DETACHED_ENDINGS or not volume.is_file():
        return []
    with volume.open("rb") as stream:
        text = stream.read(_HEADER_BYTES).decode("utf-8", "replace").replace("\0", "")
    values = [re.split("[=:]", line, maxsplit=1)[-1].strip() for line in text.splitlines()]
    # Longer lines are not file names, and testing for such a file would fail.
    return [volume.parent / value for value in values if 0 < len(value.encode()) < 256]
