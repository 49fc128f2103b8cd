"""What a command may write: nothing is computed in vain, and no output replaces an input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import OutputError
from ..system.atomic_files import check_writable

# Headers whose voxels lie in other files, and as much of them as could name those.
_DETACHED_ENDINGS = (".mhd", ".nhdr")
_HEADER_BYTES = 1 << 20


def check_outputs(outputs: Sequence[Path], volume: Path, others: Sequence[Path] = ()) -> None:
    """Raise OutputError for an output that cannot be written or would replace an input.

    volume: a file, which may name others that hold its voxels, or a folder, in which nothing is
        written. others: further files that are read.
    """
    read = [volume, *_named_in_header(volume), *others]
    for path in outputs:
        check_writable(path)
        if volume.resolve() in path.resolve().parents:
            raise OutputError(f"{path} is inside the volume's folder; choose another folder.")
        for input_path in read:
            if path.exists() and input_path.exists() and path.samefile(input_path):
                raise OutputError(
                    f"{path} is read by this command ({input_path}); give the output another name."
                )
    if len({path.resolve() for path in outputs}) < len(outputs):
        raise OutputError("Two outputs have the same name; give each its own.")


def _named_in_header(volume: Path) -> list[Path]:
    """The files that the lines of a detached header may name."""
    if volume.suffix.lower() not in _DETACHED_ENDINGS or not volume.is_file():
        return []
    with volume.open("rb") as stream:
        text = stream.read(_HEADER_BYTES).decode("utf-8", "replace").replace("\0", "")
    values = [re.split("[=:]", line, maxsplit=1)[-1].strip() for line in text.splitlines()]
    # Longer lines are no names of files, and asking for them would fail.
    return [volume.parent / value for value in values if 0 < len(value.encode()) < 256]
