"""Hostile files of weights: imported as a user would, over weights that are installed.

An escape is another exception than the named ones, a message of several lines, code that ran, an
import that succeeded, or installed weights that changed.
"""

from __future__ import annotations

import io
import json
import os
import pickletools
import random
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest import mock

import forged_checkpoints as forged
import numpy as np
from forged_checkpoints import called, named
from hostile_weights import with_payload

from MedSegFMLib.errors import MedSegFMError, WeightsError
from MedSegFMLib.models.common.state_dict import check_finite, check_state_dict, read_state_dict
from MedSegFMLib.models.phantom_trial import PhantomTrial
from MedSegFMLib.weights import installing, store

NAME = "weights files"
_RAN = "ran"
_NUMBERS = (0, 1, 2, 3, 6, 7, -1, -6, 2**31, 2**40, 2**62, 2**63, 10**30, 1.5, None, "3")
_KINDS = ("FloatStorage", "DoubleStorage", "HalfStorage", "QInt8Storage", "ComplexFloatStorage")
_DTYPES = ("F16", "F32", "F64", "BF16", "I8", "U64", "BOOL", "F8_E4M3", "C64", "F4", "X", "", None)


@dataclass(frozen=True)
class Payload:
    """The files of weights, by their path, and the name they are imported as."""

    name: str
    files: dict[str, bytes]


def inputs(rng: random.Random) -> Iterator[Payload]:
    """Endless hostile weights."""
    kinds = [_header, _header, _code, _numpy, _tensor, _tensor, _function, _archive, _opcodes]
    kinds += [_legacy, _folder]
    number = 0
    while True:
        number += 1
        # A network that can be built takes a second.
        yield _payload(rng) if number % 12 == 0 else rng.choice(kinds)(rng)


def escape(payload: Payload, folder: Path) -> str | None:
    """Import the weights, and read their tensors."""
    user, given = folder / "store", folder / "given"
    before = _installed(user, payload.name)
    for name, content in payload.files.items():
        (given / name).parent.mkdir(parents=True, exist_ok=True)
        (given / name).write_bytes(content)
    path = (
        given
        if len(payload.files) > 1 or payload.name == "nnunet"
        else given / next(iter(payload.files))
    )
    environment = mock.patch.dict(os.environ, {"MEDSEGFM_WEIGHTS": str(user)})
    attempts: tuple[Callable[[], object], ...] = (
        lambda: installing.import_file(payload.name, path, trial=PhantomTrial()),
        lambda: _touch(path) if path.is_file() else None,
    )
    with environment:
        for number, attempt in enumerate(attempts):
            try:
                attempt()
            except MedSegFMError as error:
                if "\n" in str(error):
                    return f"a message of several lines: {error}"
            except Exception as error:  # noqa: BLE001 - any other is an escape
                return f"{type(error).__name__}: {error}"
            else:
                if number == 0:
                    return f"{payload.name} was imported"
    if Path(_RAN).exists():
        return "code in a file ran"
    if _content(user) != before:
        return f"the installed weights changed: {sorted(_content(user))}"
    return None


def _touch(path: Path) -> None:
    """Read every value of a file."""
    state = read_state_dict(path, ("model",), "give another")
    check_finite(check_state_dict(state, path, "give another"), path)
    for tensor in state.values():
        if tensor.numel() > 10**6:
            raise WeightsError("It is large.")
        tensor.float().sum()


def _installed(folder: Path, name: str) -> dict[str, bytes]:
    """Weights that are installed already, which need not be of any network."""
    file = {"ensam": "ensam.safetensors", "medsam": "medsam_vit_b.pth", "nnunet": "nnunet/a"}[name]
    for part in (file, f"{file.partition('/')[0]}.sha256"):
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        (folder / part).write_bytes(b"earlier")
    return _content(folder)


def _content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def _safetensors(header: bytes, content: bytes, length: int | None = None) -> Payload:
    stated = (len(header) if length is None else length) % 2**64
    return Payload("ensam", {"w.safetensors": stated.to_bytes(8, "little") + header + content})


def _checkpoint(content: bytes) -> Payload:
    return Payload("medsam", {"w.pth": content})


def _header(rng: random.Random) -> Payload:
    """A header of safetensors with other values, other JSON, or other bytes."""
    config = {"skip": "concat", "positions": "liere", "millimetres": True, "dense_prompts": True}
    config["cells"] = rng.choice((32, 64, 10**9, -8, "64"))
    metadata: dict[str, Any] = {
        "format": rng.choice(("medsegfm.ensam", "medsegfm.ensam", "medsegfm.crossplane", "pt", 3)),
        "version": "1",
        "config": rng.choice((json.dumps(config), "{", "[" * 5000, "")),
    }
    tensors: dict[str, Any] = {
        name: {
            "dtype": rng.choice(_DTYPES[:3]),
            "shape": [2, 3],
            "data_offsets": [24 * n, 24 * n + 24],
        }
        for n, name in enumerate("vwx")
    }
    item = tensors[rng.choice("vwx")]
    key = rng.choice(("dtype", "shape", "data_offsets", "more"))
    item[key] = rng.choice(
        (
            rng.choice(_DTYPES),
            [rng.choice(_NUMBERS) for _ in range(rng.randrange(4))],
            rng.choice(_NUMBERS),
            {},
        )
    )
    text = json.dumps({"__metadata__": metadata, **tensors})
    text = rng.choice(
        (
            text,
            text,
            text + text,
            text.replace('"w"', '"v"'),
            text[: rng.randrange(len(text))],
            "[" * 100_000,
            '{"a":' * 20_000,
            text.replace("2", "NaN"),
            text.replace("2", "1e999"),
            text.replace('"w"', '"\\ud800"'),
            text.replace('"w"', '"a\\u0000\\n"'),
        )
    )
    header = text.encode()
    if rng.randrange(3) == 0:
        header = _changed(rng, header)
    length = rng.choice((None, None, None, 0, len(header) - 1, 2**31, 2**63, 2**64 - 1))
    return _safetensors(header, bytes(rng.choice((72, 72, 0, 71, 1000))), length)


def _payload(rng: random.Random) -> Payload:
    """The shipped weights with other numbers, of other types, or under other names."""
    shipped = store.shipped("ensam")
    assert shipped is not None, "it belongs to the package"
    content = shipped.read_bytes()
    kind = rng.choice(("nan", "inf", "-inf", "random", "huge", "zeros", "type", "name", "config"))
    if kind == "type":
        content = content.replace(b'"F16"', rng.choice((b'"I16"', b'"U16"')))
    elif kind == "name":
        content = content.replace(b"interactions.0", b"interactions.9", 1)
    elif kind == "config":
        length = int.from_bytes(content[:8], "little")
        changes = ((b": 32}", b": 10000000}"), (b"rope", b"liere"), (b"concat", b"add"))
        head = content[8 : 8 + length].replace(*rng.choice(changes))
        return _safetensors(head, content[8 + length :])
    else:
        content = with_payload(content, kind, rng.randrange(1000))
    return Payload("ensam", {"w.safetensors": content})


def _code(rng: random.Random) -> Payload:
    """A pickle that runs code if it may, in an archive or alone."""
    data = rng.choice(list(forged.hostile_calls(_RAN).values()))
    return _checkpoint(rng.choice((forged.archive(data), data)))


def _numpy(rng: random.Random) -> Payload:
    """Forged values of numpy, beside the network's tensors or among them."""
    module = rng.choice(("numpy.core.multiarray", "numpy._core.multiarray"))
    dtype = called(named("numpy", "dtype"), rng.choice(("O8", "f8", "V16", "S3")), 0, 1)
    state = rng.choice(
        (
            (3, "|", None, None, None, -1, -1, 63),
            (3, "<", (dtype, (10**9,)), ("a",), {"a": (dtype, 0)}, 10**9, 1, 0),
            tuple(rng.choice(_NUMBERS) for _ in range(8)),
        )
    )
    dtype = forged.built(dtype, state)
    array = forged.built(
        called(named(module, "_reconstruct"), named("numpy", "ndarray"), (0,), b"b"),
        (1, (rng.choice(_NUMBERS),), dtype, False, b"\xff" * 64),
    )
    item = rng.choice((called(named(module, "scalar"), dtype, b"\x01" * 8), array, dtype))
    rebuilt = named("torch._utils", "_rebuild_device_tensor_from_numpy")
    item = rng.choice((item, called(rebuilt, item, dtype, "cpu", False)))
    return _checkpoint(forged.archive(forged.pickled(item)))


def _tensor(rng: random.Random) -> Payload:
    """A tensor with another storage, offset, size or strides than it has."""
    held = forged.storage(
        rng.choice(("0", "0", "0", "1", "../0", "", "\0")),
        rng.choice((6, 6, *_NUMBERS)),
        rng.choice(_KINDS),
        rng.choice(("cpu", "cpu", "cuda:7", "meta", "x", 3)),
    )
    sizes = [rng.choice((2, 3, *_NUMBERS)) for _ in range(rng.randrange(1, 4))]
    strides = [rng.choice((1, 3, *_NUMBERS)) for _ in range(rng.choice((1, 2, len(sizes))))]
    function = rng.choice(("_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_tensor_v3"))
    item = forged.tensor(held, rng.choice((0, 0, *_NUMBERS)), sizes, strides, function)
    return _checkpoint(forged.archive(forged.pickled(item)))


def _function(rng: random.Random) -> Payload:
    """A function that torch allows, with arguments that it does not expect."""
    from torch._weights_only_unpickler import _get_allowed_globals

    whole = rng.choice(sorted(_get_allowed_globals()))
    module, _, name = whole.rpartition(".")
    arguments = [
        rng.choice((*_NUMBERS, (2, 3), (), forged.storage(), forged.tensor(), b"\0" * 9, "cpu"))
        for _ in range(rng.randrange(9))
    ]
    item = called(named(module, name), *arguments)
    if rng.randrange(2):
        item = forged.built(item, rng.choice((None, {}, {"a": 1}, (1, 2), b"", 7)))
    return _checkpoint(forged.archive(forged.pickled(item)))


def _archive(rng: random.Random) -> Payload:
    """An archive that is cut, nested, compressed, changed, or has a part twice or too few."""
    good = forged.pickled(forged.tensor())
    whole = forged.archive(good)
    choices: list[Callable[[], bytes]] = [
        lambda: whole[: rng.randrange(len(whole))],
        lambda: forged.archive(whole),
        lambda: forged.archive(good, {"data/0": bytes(10**8)}, zipfile.ZIP_DEFLATED),
        lambda: forged.archive(good, {"data/0": bytes(rng.randrange(24))}),
        lambda: forged.archive(good, {"data.pkl": good}),
        lambda: forged.archive(good, {"../../escaped": b"x", "constants.pkl": good}),
        lambda: _changed(rng, whole),
        lambda: whole.replace(b"archive/data/0", b"archive/data/9"),
        lambda: whole.replace(b"little", rng.choice((b"middle", b"biglit"))),
        lambda: _empty_archive(),
    ]
    return _checkpoint(rng.choice(choices)())


def _empty_archive() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as file:
        file.writestr("a/b", b"")
    return stream.getvalue()


def _opcodes(rng: random.Random) -> Payload:
    """A pickle with opcodes exchanged, added and removed."""
    data = forged.pickled(forged.tensor())
    places = [place for _, _, place in pickletools.genops(data) if place is not None]
    for _ in range(rng.randrange(1, 6)):
        position = rng.choice(places)
        code = rng.choice(pickletools.opcodes).code.encode("latin-1")
        data = data[:position] + code + data[position + rng.randrange(2) :]
    if rng.randrange(6) == 0:
        data = forged.PROTOCOL + rng.choice((b"]", b"(", b"}", b")\x85")) * rng.randrange(1, 50_000)
    return _checkpoint(forged.archive(data))


@cache
def _good_legacy() -> bytes:
    import torch

    stream = io.BytesIO()
    torch.save({"w": torch.ones(2, 3)}, stream, _use_new_zipfile_serialization=False)
    return stream.getvalue()


def _legacy(rng: random.Random) -> Payload:
    """torch's format before 1.6 with other bytes, or cut."""
    data = _good_legacy()
    if rng.randrange(3) == 0:
        data = data[: rng.randrange(len(data))]
    return _checkpoint(_changed(rng, data))


@cache
def _good_folder() -> dict[str, bytes]:
    from nnunet_folders import write_folder

    with TemporaryDirectory() as folder:
        return _content(write_folder(Path(folder) / "trained"))


def _folder(rng: random.Random) -> Payload:
    """A folder of nnU-Net with a part that is missing, cut, or of something else."""
    files = dict(_good_folder())
    name = rng.choice(list(files))
    checkpoint = "fold_0/checkpoint_final.pth"
    match rng.randrange(5):
        case 0:
            del files[name]
        case 1:
            files[name] = files[name][: rng.randrange(len(files[name]))]
        case 2:
            files[name] = rng.choice((b"", b"[]", b"{}", b"null", rng.randbytes(100)))
        case 3:
            hostile = list(forged.hostile_calls(_RAN).values())
            files[checkpoint] = forged.archive(rng.choice(hostile))
        case _:
            files[checkpoint] = _with_nan(files[checkpoint])
    return Payload("nnunet", files)


@cache
def _with_nan(content: bytes) -> bytes:
    import torch

    held = torch.load(io.BytesIO(content), weights_only=False)
    next(iter(held["network_weights"].values())).view(-1)[0] = np.nan
    stream = io.BytesIO()
    torch.save(held, stream)
    return stream.getvalue()


def _changed(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 2, 8))):
        if not changed:
            break
        position = rng.randrange(len(changed))
        action = rng.randrange(3)
        if action == 0:
            changed[position] ^= 1 << rng.randrange(8)
        elif action == 1:
            del changed[position : position + rng.randrange(1, 20)]
        else:
            changed[position:position] = rng.randbytes(rng.randrange(1, 20))
    return bytes(changed)
