"""Token numbers of phrases for SAM3's text encoder, by CLIP's tokenizer from local files.

Only the vocabulary and the merges are read. What transformers would take from the same files
beside, such as regular expressions, which may take forever, and names of classes, is CLIP's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MissingPartError, PromptError, WeightsError
from ...system.foreign_errors import fault_of, predicting_errors
from ...system.json_files import load_bytes, load_json
from ...volumes.segmentations.vocabulary import phrase_of

if TYPE_CHECKING:
    from torch import Tensor

# The text for SAM3 if there is a box but no phrase (Sam3Processor of transformers).
VISUAL = "visual"

# A tokenizer consists of one of these sets of files.
_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))
_MOST_TOKENS = 1 << 20
_MOST_BYTES = 32_000_000

Merges = list[tuple[str, str]]


class PhraseTokenizer:
    """The tokenizer in a folder; nothing is downloaded.

    Args:
        folder: Has `tokenizer.json`, or `vocab.json` and `merges.txt`, as published with SAM3 and
            CLIP.
        most: The largest number of tokens of the network, begin and end included.
        is_exact: Whether phrases are taken word by word; otherwise as the vocabulary calls them,
            "left kidney" for "kidney_left".

    Raises:
        WeightsError: If the files are missing or cannot be read.
    """

    def __init__(self, folder: Path, most: int, is_exact: bool = False) -> None:
        if not any(all((folder / name).is_file() for name in names) for names in _FILES):
            raise MissingPartError(
                f"There is no tokenizer in {folder}, which medical-sam3 needs for text; put "
                "tokenizer.json, or vocab.json and merges.txt, of SAM3 or CLIP there, or name "
                "their folder with --option tokenizer=FOLDER."
            )
        from transformers import CLIPTokenizer

        try:
            vocabulary, pairs = _read(folder)
            # transformers passes pairs on, which its annotation leaves out.
            merges: Any = pairs
            self._tokenizer: Any = CLIPTokenizer(vocab=vocabulary, merges=merges)
        # The tokenizers library raises nothing more specific for a damaged file; its panics are no
        # `Exception`.
        except (KeyboardInterrupt, GeneratorExit):
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
            phrases = [phrase_of(phrase) for phrase in phrases]
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


def _read(folder: Path) -> tuple[dict[str, int], Merges]:
    """The numbers of the tokens, and the pairs of tokens to merge, in order.

    Raises:
        OSError, ValueError, TypeError, KeyError: The files cannot be read, or contain other things.
    """
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
