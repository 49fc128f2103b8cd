"""The result of training all weights of Medical SAM3: a folder that the model can load."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ....models.medical_sam3.clip_vocabulary import AUTHORS_FILE, SHIPPED
from ....models.medical_sam3.lora import FORMAT
from ....models.medical_sam3.weights import CONFIG, IN_FOLDER, write_config
from ....system.atomic_files import atomic_path, make_folder
from ....weights.saving import save_tensors

_TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json", AUTHORS_FILE)


def write_network(
    network: nn.Module, config: Any, tokenizer: Path, folder: Path, facts: Mapping[str, Any]
) -> None:
    """Write all weights in transformers' layout, with configuration and tokenizer.

    Args:
        network: the network.
        config: its configuration.
        tokenizer: the folder or file of the tokenizer; the shipped one is not copied.
        folder: the folder to write to.
        facts: metadata for the weights file.

    Raises:
        OutputError: a file cannot be written.
    """
    make_folder(folder, "name another as out=")
    # transformers only reads files whose format is "pt".
    metadata = {"format": "pt", "of": FORMAT, "facts": json.dumps(facts)}
    save_tensors(folder / IN_FOLDER, network.state_dict(), metadata)
    write_config(config, folder / CONFIG)
    if tokenizer.is_file() and tokenizer != SHIPPED:
        with atomic_path(folder / AUTHORS_FILE) as beside:
            shutil.copyfile(tokenizer, beside)
    for name in _TOKENIZER:
        if (tokenizer / name).is_file():
            with atomic_path(folder / name) as beside:
                shutil.copyfile(tokenizer / name, beside)
