"""Paths that are not regular files: pipes, devices, loops, folders, names that no file can have."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from MedSegFMLib import Volume
from MedSegFMLib.datasets.challenge_boxes import read_boxes
from MedSegFMLib.datasets.challenge_npz import read_image
from MedSegFMLib.errors import MedSegFMError
from MedSegFMLib.synthesis.recorded.pack_format import load_pack

NAME = "paths"
_LONGEST_S = 5.0
_ENDINGS = (".nii", ".nii.gz", ".nrrd", ".nhdr", ".mha", ".mhd", ".hdr", ".img", ".dcm", ".npz", "")
# What to make, what ending to give it, and which reader to give it to.
Payload = tuple[str, str, str]
_LABELS = np.ones((1, 1, 1), np.uint8)
_READERS: dict[str, Callable[[Path], object]] = {
    "volume": Volume.read,
    "npz": read_image,
    "boxes": lambda path: read_boxes(path, _LABELS),
    "pack": load_pack,
}


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _device(path: Path) -> Path:
    path.symlink_to("/dev/zero")
    return path


def _loop(path: Path) -> Path:
    path.symlink_to(path.name)
    return path


def _dangling(path: Path) -> Path:
    path.symlink_to("nowhere")
    return path


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def _pipe_in_folder(path: Path) -> Path:
    path.mkdir()
    os.mkfifo(path / "0001.dcm")
    return path


def _pipe_beside(path: Path) -> Path:
    """A header whose voxels should be in a pipe."""
    os.mkfifo(path.parent / "voxels.raw")
    path.write_text(
        "NDims = 3\nDimSize = 2 2 2\nElementType = MET_UCHAR\nElementDataFile = voxels.raw\n"
    )
    return path


def _nul(path: Path) -> Path:
    return path.parent / "a\0b"


def _surrogate(path: Path) -> Path:
    return path.parent / "a\ud800b"


def _long(path: Path) -> Path:
    return path.parent / f"{'l' * 5000}{path.suffix}"


def _below_file(path: Path) -> Path:
    path.write_bytes(b"x")
    return path / "below"


_KINDS = {
    make.__name__.strip("_"): make
    for make in (
        *(_pipe, _device, _loop, _dangling, _folder, _pipe_in_folder, _pipe_beside, _nul),
        *(_surrogate, _long, _below_file),
    )
}


def inputs(rng: random.Random) -> Iterator[Payload]:
    """Endless descriptions of paths."""
    while True:
        yield rng.choice(list(_KINDS)), rng.choice(_ENDINGS), rng.choice(list(_READERS))


def escape(payload: Payload, folder: Path) -> str | None:
    """Read a path; a description of what should not happen, or None.

    A reader that waits for a pipe is ended by the time limit of the test.
    """
    kind, ending, reader = payload
    inner = folder / "paths"
    shutil.rmtree(inner, ignore_errors=True)
    inner.mkdir()
    path = _KINDS[kind](inner / f"v{ending}")
    start = time.monotonic()
    try:
        _READERS[reader](path)
    except MedSegFMError as error:
        is_late = time.monotonic() - start > _LONGEST_S
        str(error).encode()
        return f"{payload} took longer than {_LONGEST_S} s" if is_late else None
    except Exception as error:  # noqa: BLE001
        return f"{payload}: {type(error).__name__}: {error}"
    return f"{payload} was read"
