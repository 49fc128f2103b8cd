"""Phrases as the numbers that SAM3's text encoder takes, by CLIP's tokenizer from local files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import PromptError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

# What SAM3 is told where there is a box and no word (Sam3Processor of transformers).
VISUAL = "visual"

# A tokenizer is one of these sets of files.
_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))


class PhraseTokenizer:
    """The tokenizer in a folder; nothing is ever fetched.

    folder: with `tokenizer.json`, or `vocab.json` and `merges.txt`, as SAM3 and CLIP are published
    with. most: tokens that the network takes, begin and end included. Raises WeightsError where
    there are no such files, or they cannot be read.
    """

    def __init__(self, folder: Path, most: int) -> None:
        if not any(all((folder / name).is_file() for name in names) for names in _FILES):
            raise WeightsError(
                f"There is no tokenizer in {folder}, which the words for medical-sam3 need; put "
                "tokenizer.json, or vocab.json and merges.txt, of SAM3 or CLIP there, or name "
                "their folder with --option tokenizer=FOLDER."
            )
        from transformers import CLIPTokenizer

        try:
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        # The tokenizers' own library raises nothing more particular for a damaged file.
        except Exception as error:
            raise WeightsError(
                f"The tokenizer in {folder} cannot be read ({error}); get its files again."
            ) from error
        self._most = most

    def tokens(self, phrases: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token numbers and which of them count, both (n, most) int64.

        Raises PromptError for a phrase that is too long.
        """
        for phrase in phrases:
            length = len(self._tokenizer(phrase)["input_ids"])
            if length > self._most:
                raise PromptError(
                    f"The text '{phrase}' has {length} tokens; give a shorter one, of "
                    f"{self._most} at most."
                )
        made = self._tokenizer(
            list(phrases), padding="max_length", max_length=self._most, return_tensors="pt"
        )
        return made["input_ids"], made["attention_mask"]
