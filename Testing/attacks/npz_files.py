"""Hostile challenge files: changed bytes, forged headers, forged pickles, forged archives."""

from __future__ import annotations

import io
import pickle
import pickletools
import random
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from MedSegFMLib.datasets.challenge_boxes import read_boxes
from MedSegFMLib.datasets.challenge_npz import read_image, read_labels, read_objects
from MedSegFMLib.datasets.challenge_prompts import read_prompts
from MedSegFMLib.errors import MedSegFMError

NAME = "npz files"
_KEYS = ("z_min", "z_mid_y_min", "z_mid_x_min", "z_max", "z_mid_y_max", "z_mid_x_max", "z_mid")
_LABELS = np.zeros((3, 4, 5), np.uint8)
_LABELS[1, 1:3, 1:3] = 1


class _Touch:
    """Runs `Path.touch` if it is unpickled."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self._target,)


def npy(value: object) -> bytes:
    """The file of an array."""
    stream = io.BytesIO()
    np.save(stream, value)  # type: ignore[arg-type]
    return stream.getvalue()


def good_boxes() -> bytes:
    """The file of an array with one box, as numpy writes it."""
    return npy(np.array([dict.fromkeys(_KEYS, np.int64(1))], dtype=object))


def archive(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return stream.getvalue()


def good_members() -> dict[str, bytes]:
    """The files of a case."""
    return {
        "imgs.npy": npy(np.arange(60, dtype=np.uint8).reshape(3, 4, 5)),
        "gts.npy": npy(_LABELS),
        "spacing.npy": npy(np.ones(3)),
        "boxes.npy": good_boxes(),
        "medsegfm_objects.npy": npy(np.array('{"1": "liver"}')),
        "clicks.npy": npy(np.array([{"fg": [[np.int64(1)] * 3], "bg": []}], dtype=object)),
        "clicks_order.npy": npy(np.array([["fg"]])),
        "text_prompts.npy": npy(np.array({"1": "liver", "instance_label": 0}, dtype=object)),
        "prev_pred.npy": npy(_LABELS),
    }


def inputs(rng: random.Random) -> Iterator[bytes]:
    """Endless hostile files."""
    kinds = (_changed_archive, _changed_member, _forged_header, _forged_pickle, _forged_names)
    while True:
        yield rng.choice(kinds)(rng)


def escape(payload: bytes, folder: Path) -> str | None:
    """Read a file with every reader; a description of what should not happen, or None."""
    path = folder / "case.npz"
    path.write_bytes(payload)
    geometry = None
    readers: tuple[Callable[[], object], ...] = (
        lambda: read_image(path),
        lambda: read_labels(path, geometry) if geometry else None,
        lambda: read_objects(path),
        lambda: read_boxes(path, _LABELS),
        lambda: read_prompts(path),
    )
    for reader in readers:
        try:
            result = reader()
        except MedSegFMError as error:
            if "\n" in str(error):
                return f"a message of several lines: {error}"
        except Exception as error:  # noqa: BLE001
            return f"{type(error).__name__}: {error}"
        else:
            geometry = getattr(result, "geometry", geometry)
    if Path("ran").exists():
        return "a pickle ran"
    return None


def _changed(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        position = rng.randrange(len(changed))
        action = rng.randrange(4)
        if action == 0:
            changed[position] ^= 1 << rng.randrange(8)
        elif action == 1:
            changed[position] = rng.choice((0, 0xFF, 0x80, ord("("), ord(")"), ord("9")))
        elif action == 2:
            del changed[position : position + rng.randrange(1, 20)]
        else:
            changed[position:position] = rng.randbytes(rng.randrange(1, 20))
        if not changed:
            return b""
    return bytes(changed)


def _changed_archive(rng: random.Random) -> bytes:
    return _changed(rng, archive(good_members()))


def _changed_member(rng: random.Random) -> bytes:
    members = good_members()
    name = rng.choice(list(members))
    members[name] = _changed(rng, members[name])
    return archive(members)


def _forged_header(rng: random.Random) -> bytes:
    """An array whose header states another type, shape or length."""
    descr = rng.choice(("|O", "<c16", "|V8", "<f8", "<M8[s]", "|S99", "<U9", ">i4", "<f3", "|b1"))
    sizes = [rng.choice((0, 1, 3, 60, 2**31, 2**62, 10**30)) for _ in range(rng.randrange(0, 70))]
    shape = rng.choice((str(tuple(sizes)), "(-1,)", "(" * 500 + ")" * 500, "(3, 4, 5)", "1", "x"))
    text = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}"
    text = rng.choice((text, text * 3, text + " " * 20_000, "__import__('os')", ""))
    raw = text.encode() + b"\n"
    version = rng.choice((1, 2, 3, 4))
    length = rng.choice((len(raw), len(raw), 0, 2**16 - 1))
    head = b"\x93NUMPY" + bytes((version, 0)) + length.to_bytes(2 if version == 1 else 4, "little")
    members = good_members()
    members[rng.choice(list(members))] = head + raw + rng.randbytes(rng.choice((0, 60, 480)))
    return archive(members)


def _forged_pickle(rng: random.Random) -> bytes:
    """Objects with opcodes exchanged, added and removed, or an object that runs code."""
    name = rng.choice(("boxes.npy", "clicks.npy", "text_prompts.npy"))
    boxes = good_members()[name]
    start = boxes.index(b"\n") + 1
    data = boxes[start:]
    if rng.randrange(8) == 0:
        data = pickle.dumps(_Touch(Path("ran")), protocol=rng.randrange(6))
    elif rng.randrange(8) == 0:
        data = b"\x80\x04" + rng.choice((b"]", b"(", b"}", b")\x85")) * rng.randrange(1, 50_000)
    else:
        for _ in range(rng.randrange(1, 6)):
            position = rng.choice(
                [place for _, _, place in pickletools.genops(boxes[start:]) if place is not None]
            )
            code = rng.choice(pickletools.opcodes).code.encode("latin-1")
            data = data[:position] + code + data[position + rng.randrange(2) :]
    return archive(good_members() | {name: boxes[:start] + data})


def _forged_names(rng: random.Random) -> bytes:
    name = rng.choice(("../imgs.npy", "/imgs.npy", "a\\b.npy", "C:x.npy", "imgs.npy/", "x/../y"))
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2))
    return archive({name: npy(_LABELS)} | good_members(), method)
