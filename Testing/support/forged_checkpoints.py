"""Files in torch's format that torch.save would not write: assembled pickles and archives."""

from __future__ import annotations

import io
import pickle
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

MARK, STOP, REDUCE, BUILD, TUPLE, SETITEM, PERSID = b"(", b".", b"R", b"b", b"t", b"s", b"Q"
PROTOCOL = b"\x80\x02"


def archive(
    pickled: bytes, members: Mapping[str, bytes] | None = None, method: int = zipfile.ZIP_STORED
) -> bytes:
    """A checkpoint: an archive of a pickle, and of storages as `data/0`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        file.writestr("archive/data.pkl", pickled)
        file.writestr("archive/byteorder", "little")
        for name, content in {"data/0": bytes(24), "version": b"3\n", **(members or {})}.items():
            file.writestr(f"archive/{name}", content)
    return stream.getvalue()


def value(item: Any) -> bytes:
    """The opcodes of a number, text, bytes, None, or a tuple or list of these."""
    if isinstance(item, tuple):
        return MARK + b"".join(map(value, item)) + TUPLE
    if isinstance(item, Raw):
        return item.code
    return pickle.dumps(item, protocol=2)[2:-1]


class Raw:
    """Opcodes as a value."""

    def __init__(self, code: bytes) -> None:
        self.code = code


def named(module: str, name: str) -> Raw:
    """What a module calls so."""
    return Raw(b"c" + module.encode() + b"\n" + name.encode() + b"\n")


def called(function: Raw, *arguments: Any) -> Raw:
    """The result of a function."""
    return Raw(function.code + value(arguments) + REDUCE)


def built(item: Raw, state: Any) -> Raw:
    """An object after it got a state."""
    return Raw(item.code + value(state) + BUILD)


def storage(key: str = "0", numel: Any = 6, kind: str = "FloatStorage", place: str = "cpu") -> Raw:
    """A storage of the archive."""
    return Raw(value(("storage", named("torch", kind), key, place, numel)) + PERSID)


def tensor(
    held: Raw | None = None,
    offset: Any = 0,
    size: Sequence[Any] = (2, 3),
    stride: Sequence[Any] = (3, 1),
    function: str = "_rebuild_tensor_v2",
) -> Raw:
    """A tensor as torch.save writes it."""
    hooks = called(named("collections", "OrderedDict"))
    arguments = (held or storage(), offset, tuple(size), tuple(stride), False, hooks)
    return called(named("torch._utils", function), *arguments)


def pickled(item: Raw, name: str = "w") -> bytes:
    """The pickle of {name: item}."""
    return PROTOCOL + b"}" + value(name) + item.code + SETITEM + STOP


def hostile_calls(target: str) -> dict[str, bytes]:
    """Pickles that create the file `target` if they are read as pickle reads them, by kind."""
    code = f"open({target!r}, 'w').close()"
    words = value((code,))
    text = value(code)
    reached = b"\x8c\x08builtins\x8c\x04exec\x93"
    return {
        "global": PROTOCOL + b"cbuiltins\nexec\n" + words + REDUCE + STOP,
        "system": PROTOCOL + b"cos\nsystem\n" + value((f"touch {target}",)) + REDUCE + STOP,
        "posix": PROTOCOL + b"cposix\nsystem\n" + value((f"touch {target}",)) + REDUCE + STOP,
        "stack global": b"\x80\x04" + reached + words + REDUCE + STOP,
        "inst": PROTOCOL + MARK + text + b"ibuiltins\nexec\n" + STOP,
        "obj": PROTOCOL + MARK + b"cbuiltins\nexec\n" + text + b"o" + STOP,
        "newobj": PROTOCOL + b"cbuiltins\nexec\n" + words + b"\x81" + STOP,
        "in a tensor's hooks": pickled(
            called(
                named("torch._utils", "_rebuild_tensor_v2"),
                *(storage(), 0, (2, 3), (3, 1), False),
                called(named("builtins", "exec"), code),
            )
        ),
        "in a persistent id": PROTOCOL + b"cbuiltins\nexec\n" + words + REDUCE + PERSID + STOP,
        "through a state": pickled(
            built(called(named("collections", "OrderedDict")), {"__reduce__": code})
        ),
        "getattr": PROTOCOL
        + b"cbuiltins\ngetattr\n"
        + value((named("os", "path"), "os"))
        + REDUCE
        + STOP,
        "torch's loader": pickled(called(named("torch", "load"), target)),
        "extension": b"\x80\x02\x82\x01" + words + REDUCE + STOP,
    }
