"""Token numbers of phrases for SAM3's text encoder, by CLIP's tokenizer from local files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MissingPartError, PromptError, WeightsError

if TYPE_CHECKING:
    from torch import Tensor

# The text for SAM3 if there is a box but no phrase (Sam3Processor of transformers).
VISUAL = "visual"

# A tokenizer consists of one of these sets of files.
_FILES = (("tokenizer.json",), ("vocab.json", "merges.txt"))


class PhraseTokenizer:
    """The tokenizer in a folder; nothing is downloaded.

    Args:
        folder: Has `tokenizer.json`, or `vocab.json` and `merges.txt`, as published with SAM3 and
            CLIP.
        most: The largest number of tokens of the network, begin and end included.

    Raises:
        WeightsError: If the files are missing or cannot be read.
    """

    def __init__(self, folder: Path, most: int) -> None:
        if not any(all((folder / name).is_file() for name in names) for names in _FILES):
            raise MissingPartError(
                f"There is no tokenizer in {folder}, which medical-sam3 needs for text; put "
                "tokenizer.json, or vocab.json and merges.txt, of SAM3 or CLIP there, or name "
                "their folder with --option tokenizer=FOLDER."
            )
        from transformers import CLIPTokenizer

        try:
            self._tokenizer: Any = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
        # The tokenizers library raises nothing more specific for a damaged file.
        except Exception as error:
            raise WeightsError(
                f"The tokenizer in {folder} cannot be read ({error}); get its files again."
            ) from error
        self._most = most

    def tokens(self, phrases: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token numbers and the attention mask, both (n, most) int64.

        Raises:
            PromptError: For a phrase that is too long.
        """
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
