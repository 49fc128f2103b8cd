"""What training all of Medical SAM3 leaves: a folder that the model of that name loads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ....models.medical_sam3.lora import FORMAT
from ....models.medical_sam3.weights import CONFIG, IN_FOLDER, write_config
from ....system.atomic_files import atomic_path, make_folder
from ....weights.saving import save_tensors

_TOKENIZER = ("tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json")


def write_network(
    network: nn.Module, config: Any, tokenizer: Path, folder: Path, facts: Mapping[str, Any]
) -> None:
    """Write all weights in transformers' layout, with configuration and tokenizer beside them.

    tokenizer: the folder of its files. facts: what the weights' file tells of itself. Raises
    OutputError where that fails.
    """
    make_folder(folder, "name another as out=")
    # transformers reads files whose format is "pt", and no others.
    told = {"format": "pt", "of": FORMAT, "facts": json.dumps(facts)}
    save_tensors(folder / IN_FOLDER, network.state_dict(), told)
    write_config(config, folder / CONFIG)
    for name in _TOKENIZER:
        if (tokenizer / name).is_file():
            with atomic_path(folder / name) as beside:
                shutil.copyfile(tokenizer / name, beside)
