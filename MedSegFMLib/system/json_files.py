"""The one reader of JSON text: limited in size, depth, values and numbers, without surprises.

Python's own reader accepts NaN, keeps the last of two equal keys, passes lone surrogates on to the
first file that is written, and recurses as deep as the text says. All of these are refused here.
"""

from __future__ import annotations

import errno
import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..errors import MedSegFMError
from .regular_files import check_regular_file

DEFAULT_BYTES = 64_000_000
_MOST_VALUES = 5_000_000
_DEEPEST = 64
# The digits of a number of 128 bits, the longest that random generators store.
_MOST_DIGITS = 40
_MOST_SHOWN = 60

# A string, which may lack its end, or a bracket; possessive, so that no text takes long.
_BRACKETS = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|([\[{])|([\]}])', re.DOTALL)
_SUSPICIOUS = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")


class JsonError(ValueError):
    """JSON text that is damaged or beyond the limits; the message is the fault."""


def parse_json(
    text: str | bytes | bytearray, kind: type | None = None, most_bytes: int = DEFAULT_BYTES
) -> Any:
    """Parse JSON text.

    Args:
        text: the text, or its UTF-8 bytes with or without a mark of their order.
        kind: the required type of the whole, `dict` or `list`; None for any.
        most_bytes: the largest size.

    Raises:
        JsonError: the text is not JSON, too long, too deep or of too many values, contains a NUL
            character, a lone surrogate, a key twice or a number that is not finite or too long, or
            is of another type.
    """
    if len(text) > most_bytes:
        raise JsonError(f"it has more than {most_bytes} bytes")
    if not isinstance(text, str):
        try:
            text = bytes(text).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise JsonError(f"it is not UTF-8 text at byte {error.start}") from error
    _check_structure(text)
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_whole_number,
            parse_float=_number,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        raise JsonError(f"{error.msg} in line {error.lineno}, column {error.colno}") from error
    if not text.isascii() or _SUSPICIOUS.search(text):
        check_texts(value)
    if kind is not None and not isinstance(value, kind):
        names = {"dict": "an object with names and values", "list": "a list"}
        raise JsonError(f"it is not {names.get(kind.__name__, kind.__name__)}")
    return value


def load_json(path: Path, kind: type | None = None, most_bytes: int = DEFAULT_BYTES) -> Any:
    """Parse a file of JSON text; see `parse_json`.

    Raises:
        OSError: the file is missing, not a regular file, or cannot be read.
        JsonError: as in `parse_json`.
    """
    return parse_json(load_bytes(path, most_bytes), kind, most_bytes)


def load_bytes(path: Path, most_bytes: int) -> bytes:
    """The content of a small file.

    Raises:
        OSError: the file is missing, not a regular file, or cannot be read.
        JsonError: it is too large.
    """
    try:
        size = check_regular_file(path).st_size
    except MedSegFMError as error:
        if isinstance(error.__cause__, OSError):
            raise error.__cause__ from None
        raise OSError(errno.EINVAL, "it is not a regular file", str(path)) from error
    if size > most_bytes:
        raise JsonError(f"it has {size} bytes, more than {most_bytes}")
    with path.open("rb") as file:
        # The file may grow meanwhile; `parse_json` then refuses it.
        return file.read(most_bytes + 1)


def check_texts(value: Any) -> None:
    """Check that no text within lists and dicts contains a NUL or a lone surrogate.

    Raises:
        JsonError: one does.
    """
    waiting: list[Any] = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [*item, *item.values()]
        elif isinstance(item, list):
            waiting += item
        elif isinstance(item, str) and not item.isascii():
            try:
                item.encode()
            except UnicodeEncodeError as error:
                raise JsonError(f"{item[:_MOST_SHOWN]!a} is not valid Unicode text") from error
        if isinstance(item, str) and "\0" in item:
            raise JsonError(f"{item[:_MOST_SHOWN]!a} contains a NUL character")


def unique(pairs: Sequence[tuple[Any, Any]]) -> dict[Any, Any]:
    """The dict of pairs.

    Raises:
        JsonError: a key occurs twice.
    """
    result = dict(pairs)
    if len(result) < len(pairs):
        seen: set[Any] = set()
        for key, _ in pairs:
            if key in seen:
                raise JsonError(f"it has {str(key)[:_MOST_SHOWN]!a} twice")
            seen.add(key)
    return result


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    return unique(pairs)


def _check_structure(text: str) -> None:
    opened = text.count("[") + text.count("{")
    if opened + text.count(",") > _MOST_VALUES:
        raise JsonError(f"it has more than {_MOST_VALUES} values")
    if opened <= _DEEPEST:
        return
    depth = 0
    for match in _BRACKETS.finditer(text):
        if match[1]:
            depth += 1
            if depth > _DEEPEST:
                raise JsonError(f"its lists and objects are nested deeper than {_DEEPEST}")
        elif match[2]:
            depth -= 1


def _whole_number(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        raise JsonError(f"the number {digits[:10]}… has {len(digits)} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise JsonError(f"the number {digits[:_MOST_SHOWN]} is too large")
    return value


def _constant(name: str) -> NoReturn:
    raise JsonError(f"it contains {name}, which is not a number in JSON")
