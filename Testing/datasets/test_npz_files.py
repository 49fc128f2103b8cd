"""Boxes are parsed without unpickling, and arrays read without numpy's loader."""

from __future__ import annotations

import io
import json
import os
import pickle
import pickletools
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from MedSegFMLib.datasets.boxes_pickle import parse_boxes
from MedSegFMLib.datasets.challenge_boxes import read_boxes
from MedSegFMLib.datasets.challenge_npz import read_image, read_objects
from MedSegFMLib.datasets.numpy_objects import BoxesFault
from MedSegFMLib.datasets.pickle_interpreter import OPCODES
from MedSegFMLib.errors import MedSegFMError, VolumeError
from MedSegFMLib.synthesis.recorded.pack_format import load_pack
from MedSegFMLib.system.npz_files import NpyFault, read_npy_header
from MedSegFMLib.system.regular_files import check_regular_file
from Testing.attacks.npz_files import archive, good_boxes, good_members, npy

_KEYS = ("z_min", "z_mid_y_min", "z_mid_x_min", "z_max", "z_mid_y_max", "z_mid_x_max")
_LABELS = np.ones((3, 4, 5), np.uint8)
_REFUSED = [op for op in pickletools.opcodes if op.code.encode("latin-1") not in OPCODES]


def pickled(value: object, protocol: int = 4) -> bytes:
    return pickle.dumps(np.array(value, dtype=object), protocol=protocol)


def case(folder: Path, **members: bytes) -> Path:
    path = folder / "a.npz"
    files = {f"{name}.npy": content for name, content in members.items()}
    path.write_bytes(archive(good_members() | files))
    return path


def test_every_opcode_is_either_allowed_or_tested_as_refused() -> None:
    assert len(_REFUSED) + len(OPCODES) == len(pickletools.opcodes)
    allowed = {op.name for op in pickletools.opcodes} - {op.name for op in _REFUSED}
    assert not allowed & {
        *("INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID"),
        *("NEXT_BUFFER", "READONLY_BUFFER", "BYTEARRAY8", "INT", "LONG", "UNICODE", "STRING"),
    }


@pytest.mark.parametrize("opcode", _REFUSED, ids=lambda op: op.name)
@pytest.mark.parametrize("is_inside", [False, True])
def test_an_opcode_that_boxes_do_not_need_is_refused(
    opcode: pickletools.OpcodeInfo, is_inside: bool, tmp_path: Path
) -> None:
    """Refused at the start of a pickle, and after the values that it would use."""
    code = opcode.code.encode("latin-1")
    values = b"\x80\x04(cnumpy\nndarray\n)]}K\x01\x8c\x01a" if is_inside else b"\x80\x04"
    with pytest.raises(BoxesFault, match="which is not allowed"):
        parse_boxes(values + code + b"\x01\x00\x00\x00a\nb\n.")
    content = good_boxes()
    start = content.index(b"\n") + 1
    path = case(tmp_path, boxes=content[:start] + values + code + b"\n.")
    with pytest.raises(VolumeError, match="its boxes cannot be read"):
        read_boxes(path, _LABELS)


@pytest.mark.parametrize("protocol", [3, 4, 5])
@pytest.mark.parametrize("number", [int, float, np.int64, np.uint8, np.int32, np.float32])
def test_boxes_as_numpy_writes_them_are_read(number: Any, protocol: int) -> None:
    boxes = [{key: number(n) for n, key in enumerate(_KEYS)}, {"b": None, "c": True, "d": "text"}]
    assert parse_boxes(pickled(boxes, protocol)) == boxes
    single = np.empty((), dtype=object)
    single[()] = boxes
    assert parse_boxes(pickle.dumps(single, protocol=protocol)) == boxes


def test_boxes_in_big_endian_and_many_of_them_are_read() -> None:
    number = np.array([258], ">i4")[0]
    assert parse_boxes(pickled([{"a": number}])) == [{"a": 258}]
    many = [{"a": np.int64(n), "b": n * 10**6} for n in range(3000)]
    assert parse_boxes(pickled(many)) == many


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "numpy.load", "numpy.frombuffer"])
@pytest.mark.parametrize("is_short", [False, True])
def test_other_names_are_refused(name: str, is_short: bool) -> None:
    module, function = name.split(".")
    named = f"c{module}\n{function}\n".encode()
    if is_short:
        texts = [b"\x8c" + bytes([len(word)]) + word.encode() for word in (module, function)]
        named = b"".join(texts) + b"\x93"
    with pytest.raises(BoxesFault, match=f"{name}, which is not a number"):
        parse_boxes(b"\x80\x04" + named + b"\x8c\x01x\x85R.")


_DTYPE = b"cnumpy\ndtype\n\x8c\x02%s\x89\x88\x87R"
_STATE = b"(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK%ct"


@pytest.mark.parametrize(
    "forged",
    [
        # The state of a type with other flags, with fields, and with a size of its own.
        _DTYPE % b"i8" + _STATE % 63 + b"b.",
        _DTYPE % b"O8" + _STATE % 0 + b"b.",
        _DTYPE % b"i8" + b"(K\x03\x8c\x01<N)}K\x08K\x01K\x00tb.",
        _DTYPE % b"V8" + b".",
        # A number of objects, and of another size than its type.
        b"cnumpy.core.multiarray\nscalar\n" + _DTYPE % b"O8" + b"C\x08AAAAAAAA\x86R.",
        b"cnumpy.core.multiarray\nscalar\n" + _DTYPE % b"i8" + b"C\x04AAAA\x86R.",
        # An array of objects whose content is bytes: pointers.
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85C\x01b\x87R"
        b"(K\x01K\x01\x85" + _DTYPE % b"O8" + b"\x89C\x08AAAAAAAAtb.",
        # Arrays that `_reconstruct` would make itself, and a type that is called.
        b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x09\x85C\x01b\x87R.",
        b"cnumpy\nndarray\nK\x09\x85R.",
        b"cnumpy\ndtype\n\x8c\x02i8\x85R.",
        b"]]b.",
        b"K\x01K\x02R.",
    ],
)
def test_forged_states_and_calls_are_refused(forged: bytes) -> None:
    with pytest.raises(BoxesFault):
        parse_boxes(b"\x80\x04" + forged)


@pytest.mark.parametrize(
    "data",
    [
        *(
            b"",
            b".",
            b"N.",
            b"a.",
            b"e.",
            b"u.",
            b"t.",
            b"h\x01.",
            b"\x94.",
            b"(.",
            b"]N",
            b"c" * 900,
        ),
        *(
            b"]" * 60_000 + b"a" * 59_999 + b".",
            b")" + b"\x85" * 60_000 + b"\x93.",
            b"}NNs.",
            b"(]e.",
        ),
        *(b"]\x94h\x00a.", b"\x80\xff.", b"\x95" + b"\xff" * 8 + b".", b"X\x01\0\0\0\xff."),
        *(b"X\xff\xff", b"(]e.", b"c" * 900),
    ],
)
def test_pickles_that_end_early_or_nest_are_refused(data: bytes) -> None:
    with pytest.raises(BoxesFault):
        parse_boxes(data)


@pytest.mark.parametrize("value", [2**31, -(2**40), float("nan"), True, "1", None, [1], 10**300])
def test_boxes_of_anything_but_indices_are_refused(value: object, tmp_path: Path) -> None:
    boxes = np.empty(1, dtype=object)
    boxes[0] = dict.fromkeys(_KEYS, 1) | {"z_max": value}
    with pytest.raises(VolumeError, match="boxes cannot be read"):
        read_boxes(case(tmp_path, boxes=npy(boxes)), _LABELS)


def test_boxes_in_a_json_file_beside_are_taken(tmp_path: Path) -> None:
    path = case(tmp_path, boxes=npy(np.array([1, 2])))
    beside = tmp_path / "a.boxes.json"
    beside.write_text(json.dumps([dict(zip(_KEYS, (0, 1, 2, 1, 2, 3), strict=True))]))
    assert read_boxes(path, _LABELS) == {1: ((0, 1, 2), (2, 3, 4))}
    for text in ("{}", "[1]", "[" * 100_000, "\0", '[{"z_min": 1e999}]'):
        beside.write_text(text)
        with pytest.raises(VolumeError, match="leave"):
            read_boxes(path, _LABELS)


@pytest.mark.parametrize(
    "value",
    [
        *(np.zeros(3, dtype) for dtype in (complex, "M8[s]", "S4", "V8", np.longdouble)),
        np.zeros(3, [("a", "i4")]),
        np.array([{}]),
    ],
    ids=str,
)
def test_arrays_of_other_types_are_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="cannot be read as npz"):
        read_image(case(tmp_path, imgs=npy(value)))


@pytest.mark.parametrize(
    "header",
    [
        *("__import__('os').system('true')", "", "{}", "{'descr': [('a', '<f8')], }", " " * 20_000),
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1,), 'more': 1}",
        *(
            f"{{'descr': '<f8', 'fortran_order': False, 'shape': ({shape}), }}"
            for shape in ("-1,", "(" * 400, "1," * 65, "1e3,", "0x10,", "9" * 30 + ",")
        ),
    ],
)
def test_headers_that_numpy_does_not_write_are_refused(header: str) -> None:
    raw = header.encode() + b"\n"
    with pytest.raises(NpyFault):
        read_npy_header(io.BytesIO(b"\x93NUMPY\2\0" + len(raw).to_bytes(4, "little") + raw))


@pytest.mark.parametrize("dtype", ["<f8", ">f4", "<f2", "|u1", ">i8", "|b1"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_are_read_as_numpy_reads_them(dtype: str, order: Any, tmp_path: Path) -> None:
    array = np.array(np.arange(60).reshape(3, 4, 5) % 2, dtype=dtype, order=order)
    read = read_image(case(tmp_path, imgs=npy(array))).array_kji
    assert read.dtype == array.dtype and np.array_equal(read, array)


def _stated(folder: Path, size: int) -> Path:
    """An archive whose directory states another size of `imgs.npy`."""
    path = case(folder)
    with zipfile.ZipFile(path) as file:
        info = file.getinfo("imgs.npy")
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\1\2")
    assert info.header_offset == 0
    data[entry + 24 : entry + 28] = size.to_bytes(4, "little")
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("size", [0, 100, 187, 189, 10**6, 2**32 - 2])
def test_archives_that_state_other_sizes_are_refused(size: int, tmp_path: Path) -> None:
    with pytest.raises(VolumeError, match="cannot be read as npz"):
        read_image(_stated(tmp_path, size))


def test_an_array_that_states_more_than_it_has_is_refused(tmp_path: Path) -> None:
    content = npy(np.zeros((3, 4, 5), np.uint8)).replace(b"(3, 4, 5), }   ", b"(3, 4, 5000), }")
    with pytest.raises(VolumeError, match="states 60000 bytes"):
        read_image(case(tmp_path, imgs=content))


@pytest.mark.parametrize("name", ["../imgs.npy", "/imgs.npy", "a\\b.npy", "C:x.npy", "a/../b.npy"])
def test_archives_with_names_outside_are_refused(name: str, tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    path.write_bytes(archive(good_members() | {name: b""}))
    with pytest.raises(VolumeError, match="a file with the name"):
        read_image(path)


def test_a_changed_byte_of_an_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    data = bytearray(archive(good_members(), zipfile.ZIP_STORED))
    data[data.index(b"NUMPY") + 150] ^= 4
    path.write_bytes(data)
    with pytest.raises(VolumeError, match="CRC"):
        read_image(path)


def test_texts_that_cannot_be_written_are_refused(tmp_path: Path) -> None:
    content = bytearray(npy(np.array('{"1": "a"}')))
    content[-4:] = b"\0\xd8\0\0"
    with pytest.raises(VolumeError, match="not text"):
        read_objects(case(tmp_path, medsegfm_objects=bytes(content)))
    deep = npy(np.array("[" * 100_000))
    with pytest.raises(VolumeError, match="does not map"):
        read_objects(case(tmp_path, medsegfm_objects=deep))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are of POSIX systems")
def test_paths_that_are_not_regular_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npz")
    (tmp_path / "device.npz").symlink_to("/dev/zero")
    (tmp_path / "loop.npz").symlink_to("loop.npz")
    (tmp_path / "folder.npz").mkdir()
    messages = {"pipe": "named pipe", "device": "a device", "loop": "links", "folder": "a folder"}
    for name, message in messages.items():
        for read in (check_regular_file, read_image, load_pack):
            with pytest.raises(MedSegFMError, match=message):
                read(tmp_path / f"{name}.npz")
    for path in (tmp_path / "a\0b", tmp_path / "a\ud800"):
        with pytest.raises(MedSegFMError, match="cannot have"):
            check_regular_file(path)
