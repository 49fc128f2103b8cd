"""Full disks: files of every kind are rewritten while the disk takes no more than some bytes.

An escape is a file that is neither the earlier one nor the whole new one, a leftover, success
without the whole file, or a failure without its one sentence. The limit is that on the size of a
file (ulimit -f), which hits a writer at the same calls as a full disk.
"""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from MedSegFMLib.datasets.challenge_npz import write_segs
from MedSegFMLib.drawing.panels import panels_through
from MedSegFMLib.drawing.picture import Scene, draw_panels, write_picture
from MedSegFMLib.errors import OutputError
from MedSegFMLib.system.atomic_files import append_text, write_text
from MedSegFMLib.volumes.geometry import Geometry
from MedSegFMLib.volumes.volume import Volume

NAME = "full disks"

_SHAPE = (12, 40, 40)


@dataclass(frozen=True)
class Payload:
    """A file to write: its name, the seed of its content, and the most bytes that it may have."""

    name: str
    seed: int
    limit: int


def inputs(rng: Random) -> Iterator[Payload]:
    """Endless files with limits from nothing to more than needed."""
    while True:
        name = rng.choice(list(WRITERS))
        yield Payload(name, rng.randrange(1 << 20), int(10 ** rng.uniform(0, 5)))


def escape(payload: Payload, folder: Path) -> str | None:
    """Write the payload's file over an earlier one and judge what is there then."""
    write = WRITERS[payload.name]
    path, whole = folder / payload.name, folder / f"whole-{payload.name}"
    write(path, 0)
    before = path.read_bytes()
    whole.write_bytes(before)
    write(whole, payload.seed)
    after = whole.read_bytes()
    whole.unlink()
    reason = None
    with largest_file(payload.limit):
        try:
            write(path, payload.seed)
        except OutputError as error:
            reason = str(error)
    there = path.read_bytes()
    path.unlink()
    leftovers = list(folder.iterdir())
    for leftover in leftovers:
        leftover.unlink()
    if leftovers:
        return f"left {leftovers[0].name}"
    if reason is None:
        return None if there == after else "success without the whole file"
    if there != before:
        return f"the earlier file is gone: {reason}"
    return None if "File too large" in reason and reason.count(";") == 1 else reason


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file can grow beyond `size` bytes in the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _array(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 200, _SHAPE).astype(np.uint8)


def _image(path: Path, seed: int) -> None:
    Volume(_array(seed), Geometry.from_spacing(_SHAPE, (1.0, 1.0, 2.0))).write(path)


def _text(path: Path, seed: int) -> None:
    write_text(path, str(_array(seed).tolist()))


def _appended(path: Path, seed: int) -> None:
    if not path.exists():
        write_text(path, "first\n")
    append_text(path, f"{_array(seed)[0].tolist()}\n")


def _npz(path: Path, seed: int) -> None:
    write_segs(path, _array(seed)[None])


def _picture(path: Path, seed: int) -> None:
    volume = Volume(_array(seed), Geometry.from_spacing(_SHAPE, (1.0, 1.0, 2.0)))
    scene = Scene(volume)
    write_picture(draw_panels(scene, panels_through(scene)), path)


def _tensors(path: Path, seed: int) -> None:
    import torch

    from MedSegFMLib.weights.saving import save_tensors

    save_tensors(path, {"w": torch.from_numpy(_array(seed))})


WRITERS: dict[str, Callable[[Path, int], None]] = {
    "labels.nii": _image,
    "labels.nii.gz": _image,
    "labels.nrrd": _image,
    "labels.mha": _image,
    "summary.json": _text,
    "results.csv": _appended,
    "case.npz": _npz,
    "weights.safetensors": _tensors,
    "preview.png": _picture,
    "preview.jpg": _picture,
}
