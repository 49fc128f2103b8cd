"""The vocabulary of CLIP's tokenizer, computed from its merges, as SAM3's authors have it.

Radford et al., "Learning transferable visual models from natural language supervision", 2021. The
49,408 tokens are the 256 bytes, the same at the end of a word, a token for each merge, and the
first and last token of a text. `clip/merges.txt.gz` is shipped, under the licence beside it.
"""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

from ...errors import WeightsError
from ...system.json_files import load_bytes

AUTHORS_FILE = "bpe_simple_vocab_16e6.txt.gz"
"""The name of the file that SAM3's and CLIP's authors publish."""
SHIPPED = Path(__file__).parent / "clip" / "merges.txt.gz"
FIRST, LAST = "<|startoftext|>", "<|endoftext|>"
SIZE = 49_408

Merges = list[tuple[str, str]]

_MERGES = SIZE - 2 * 256 - 2
_MOST_BYTES = 8_000_000


def read_merges(path: Path) -> tuple[dict[str, int], Merges]:
    """The numbers of the tokens, and the pairs of tokens to merge, in order.

    Args:
        path: The authors' file, or the shipped one.

    Raises:
        WeightsError: If it is damaged, or contains other things.
    """
    try:
        packed = load_bytes(path, _MOST_BYTES)
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            text = file.read(_MOST_BYTES + 1)
        lines = text.decode("utf-8").split("\n")
        pairs = [line.split(" ") for line in lines[1 : 1 + _MERGES]]
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise WeightsError(f"{path} cannot be read ({error}); get it again.") from error
    merges = [(pair[0], pair[1]) for pair in pairs if len(pair) == 2 and all(pair)]
    if len(text) > _MOST_BYTES or len(merges) != _MERGES:
        raise WeightsError(
            f"{path} has {len(merges)} merges, and CLIP's tokenizer {_MERGES}; get it again."
        )
    single = list(byte_characters().values())
    tokens = [*single, *(f"{each}</w>" for each in single)]
    tokens += [first + second for first, second in merges]
    return {token: number for number, token in enumerate([*tokens, FIRST, LAST])}, merges


def byte_characters() -> dict[int, str]:
    """A printable character for each byte, in the order of CLIP's tokens.

    Bytes that are printable in Latin-1 stand for themselves; the others get the characters from
    256 on.
    """
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in printable]
    places = {byte: chr(byte) for byte in printable}
    return places | {byte: chr(256 + n) for n, byte in enumerate(others)}
