"""Token numbers of phrases for SAM3's text encoder, by CLIP's tokenizer from local files.

Only the vocabulary and the merges are read. What transformers would take from the same files
beside, such as regular expressions, which may take forever, and names of classes, is CLIP's own.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MissingPartError, PromptError, WeightsError
from ...system.atomic_files import atomic_folder
from ...system.foreign_errors import fault_of, predicting_errors
from ...system.json_files import load_bytes, load_json
from ...volumes.segmentations.vocabulary import phrase_of
from .clip_vocabulary import AUTHORS_FILE, SHIPPED, SIZE, Merges, read_merges

if TYPE_CHECKING:
    from torch import Tensor

# The text for SAM3 if there is a box but no phrase (Sam3Processor of transformers).
VISUAL = "visual"

# A tokenizer consists of one of these sets of files.
FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"), (AUTHORS_FILE,))
_MOST_TOKENS = 1 << 20
_MOST_BYTES = 32_000_000


class PhraseTokenizer:
    """The tokenizer in a folder; nothing is downloaded.

    Args:
        folder: Has `tokenizer.json`, or `vocab.json` and `merges.txt`, or the authors'
            `bpe_simple_vocab_16e6.txt.gz`, as published with SAM3 and CLIP; or that file itself.
        most: The largest number of tokens of the network, begin and end included.
        is_exact: Whether phrases are taken word by word; otherwise as the vocabulary calls them,
            "left kidney" for "kidney_left", also each of several that commas separate.

    Raises:
        WeightsError: If the files are missing or cannot be read.
    """

    def __init__(self, folder: Path, most: int, is_exact: bool = False) -> None:
        if not folder.is_file() and not files_in(folder):
            raise MissingPartError(
                f"There is no tokenizer in {folder}, which medical-sam3 needs for text; put "
                f"tokenizer.json, or vocab.json and merges.txt, or {AUTHORS_FILE}, of SAM3 or CLIP "
                "there, or name their folder with --option tokenizer=FOLDER."
            )
        from transformers import CLIPTokenizer

        try:
            vocabulary, pairs = _read(folder)
            # transformers passes pairs on, which its annotation leaves out.
            merges: Any = pairs
            self._tokenizer: Any = CLIPTokenizer(vocab=vocabulary, merges=merges)
        # The tokenizers library raises nothing more specific for a damaged file; its panics are no
        # `Exception`.
        except (KeyboardInterrupt, GeneratorExit, WeightsError):
            raise
        except BaseException as error:
            raise WeightsError(
                f"The tokenizer in {folder} cannot be read ({fault_of(error)}); get its files "
                "again."
            ) from error
        self._most = most
        self._is_exact = is_exact

    def tokens(self, phrases: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token numbers and the attention mask, both (n, most) int64.

        Raises:
            PromptError: For a phrase that is too long.
            ModelError: If the tokenizer fails.
        """
        if not self._is_exact:
            phrases = [_canonical(phrase) for phrase in phrases]
        with predicting_errors("medical-sam3"):
            for phrase in phrases:
                length = len(self._tokenizer(phrase)["input_ids"])
                if length > self._most:
                    raise PromptError(
                        f"The text '{phrase}' has {length} tokens; give a shorter one, of "
                        f"{self._most} at most."
                    )
            encoded = self._tokenizer(
                list(phrases), padding="max_length", max_length=self._most, return_tensors="pt"
            )
            return encoded["input_ids"], encoded["attention_mask"]


def files_in(folder: Path) -> tuple[str, ...]:
    """The names of the files of the tokenizer in a folder; empty without one."""
    there = (names for names in FILES if all((folder / name).is_file() for name in names))
    return next(there, ())


def tokenizer_for(weights: Path, tokens: int, tokenizer: Path | None = None) -> Path:
    """The folder or file of the tokenizer of a network.

    That is `tokenizer` if it is given, otherwise that of the weights: in a folder beside the file
    with its name and `.tokenizer`, as an import leaves it, or in the folder of the file; otherwise
    the shipped one, if the network has CLIP's number of tokens.

    Args:
        weights: The file of the weights.
        tokens: The number of tokens of the network.
        tokenizer: The folder or file that the user names.
    """
    if tokenizer is not None:
        return tokenizer
    own = imported_folder(weights)
    for folder in (own, weights.parent):
        if files_in(folder):
            return folder
    return SHIPPED if tokens == SIZE else weights.parent


def copy_tokenizer(source: Path, weights: Path) -> None:
    """Copy a tokenizer beside imported weights, whole or not at all.

    Args:
        source: Its folder, or the authors' file.
        weights: The file of the weights.

    Raises:
        OutputError: If the files cannot be copied.
    """
    with atomic_folder(imported_folder(weights)) as beside:
        if source.is_file():
            shutil.copyfile(source, beside / AUTHORS_FILE)
        for name in () if source.is_file() else files_in(source):
            shutil.copyfile(source / name, beside / name)


def imported_folder(weights: Path) -> Path:
    """The folder for the tokenizer that was imported with a file of weights."""
    return weights.with_name(f"{weights.name}.tokenizer")


def _canonical(text: str) -> str:
    """A phrase, or each of several, as the vocabulary calls it.

    "kidney, left" is one name with a comma, "Kidney_L, liver" are two.
    """
    whole = phrase_of(text)
    separator = re.compile(r"(,\s+)")
    if not separator.search(whole):
        return whole
    return "".join(
        part if n % 2 else phrase_of(part) for n, part in enumerate(separator.split(text))
    )


def _read(folder: Path) -> tuple[dict[str, int], Merges]:
    """The numbers of the tokens, and the pairs of tokens to merge, in order.

    Raises:
        OSError, ValueError, TypeError, KeyError: The files cannot be read, or contain other things.
        WeightsError: If the authors' file is damaged.
    """
    if folder.is_file():
        return read_merges(folder)
    if files_in(folder) == (AUTHORS_FILE,):
        return read_merges(folder / AUTHORS_FILE)
    whole = folder / "tokenizer.json"
    if whole.is_file():
        content = load_json(whole, dict, _MOST_BYTES)
        model = content["model"]
        vocabulary, pairs = model["vocab"], model["merges"]
        # As in CLIP's files, the first and last token may be among the added ones only.
        added = {token["content"]: token["id"] for token in content.get("added_tokens") or []}
        vocabulary = {**added, **vocabulary}
    else:
        vocabulary = load_json(folder / "vocab.json", dict, _MOST_BYTES)
        lines = load_bytes(folder / "merges.txt", _MOST_BYTES).decode("utf-8").split("\n")
        pairs = [line for line in lines if line and not line.startswith("#version")]
    merges = [tuple(pair.split(" ") if isinstance(pair, str) else pair) for pair in pairs]
    if not all(len(pair) == 2 and all(isinstance(n, str) for n in pair) for pair in merges):
        raise ValueError("a merge is not a pair of tokens")
    numbers = vocabulary.values()
    if not all(type(n) is int and 0 <= n < _MOST_TOKENS for n in numbers):
        raise ValueError(f"a token has no number from 0 to {_MOST_TOKENS}")
    return vocabulary, merges
