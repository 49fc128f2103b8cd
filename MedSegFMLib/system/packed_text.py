"""Packed bits as text for JSON: deflated, then in base64."""

from __future__ import annotations

import base64
import binascii
import zlib


def text_of_bits(bits: bytes) -> str:
    """Bytes as ASCII text; most masks shrink to a few percent."""
    return base64.b64encode(zlib.compress(bits, 1)).decode("ascii")


def bits_of_text(text: object, count: int) -> bytes:
    """The bytes that `text_of_bits` wrote.

    Args:
        text: the text.
        count: how many bytes there must be; no more than one beyond them is unpacked.

    Raises:
        ValueError: the text is damaged, or has another number of bytes.
    """
    if not isinstance(text, str):
        raise ValueError(f"the voxels are a {type(text).__name__}, not text")
    inflater = zlib.decompressobj()
    try:
        bits = inflater.decompress(base64.b64decode(text, validate=True), count + 1)
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"the voxels are damaged: {error}") from error
    if len(bits) != count:
        raise ValueError(f"the voxels have {len(bits)} bytes, not {count}")
    return bits
