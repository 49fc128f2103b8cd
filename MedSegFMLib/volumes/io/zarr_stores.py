"""Stores of Zarr whose chunks are checked before they are decoded.

numcodecs gives Blosc the address of a chunk without its size, so that Blosc reads behind the end of
one that was cut short and returns what it finds there.
"""

from __future__ import annotations

import struct
from functools import cache
from typing import Any

# Of Blosc's header: the number of compressed bytes, after versions, flags and other sizes.
_HEADER_BYTES, _SIZE_OFFSET = 16, 12
_METADATA = ("zarr.json", ".zgroup", ".zattrs", ".zarray", ".zmetadata")


@cache
def checked_stores() -> tuple[Any, Any]:
    """The classes of stores in a folder and in a zip file.

    While `checks_blosc` is set, reading a chunk raises EOFError if its size is not the one in its
    header of Blosc.
    """
    from zarr.storage import LocalStore, ZipStore

    class Folder(_Checked, LocalStore):  # type: ignore[misc]
        pass

    class Zip(_Checked, ZipStore):  # type: ignore[misc]
        pass

    return Folder, Zip


class _Checked:
    checks_blosc = False

    async def get(self, key: str, prototype: Any, byte_range: Any = None) -> Any:
        """Read an object, and check it."""
        found = await super().get(key, prototype, byte_range)  # type: ignore[misc]
        is_chunk = byte_range is None and key.rpartition("/")[2] not in _METADATA
        if self.checks_blosc and is_chunk and found is not None:
            check_blosc(found.to_bytes())
        return found


def check_blosc(chunk: bytes) -> None:
    """Check the size of a chunk against its header.

    Raises:
        EOFError: it was cut short.
    """
    if len(chunk) < _HEADER_BYTES:
        raise EOFError
    (size,) = struct.unpack_from("<I", chunk, _SIZE_OFFSET)
    if size != len(chunk):
        raise EOFError
