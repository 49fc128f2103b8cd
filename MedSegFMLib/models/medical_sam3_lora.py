"""Low-rank adapters in SAM3's detector, in peft's own files, bound to the weights below them.

Hu et al., "LoRA: low-rank adaptation of large language models", 2021.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

from ..errors import WeightsError

if TYPE_CHECKING:
    from peft import LoraConfig
    from transformers import Sam3Model

Targets = Literal["qv", "attention", "all"]

# Beside peft's two files: whose weights the adapters belong to, and what they were trained on.
FACTS = "medsegfm.json"
TENSORS = "adapter_model.safetensors"
_FORMAT = "medsegfm.medical-sam3.adapter"
_PEFT_CONFIG = "adapter_config.json"
_WAY_OUT = "give the folder that training medical-sam3 with mode=lora wrote"

_IN_ATTENTION = {"qv": "[qv]_proj", "attention": "[qkvo]_proj", "all": "[qkvo]_proj"}
_PLACES = (
    r"(vision_encoder\.backbone\.layers\.\d+\.attention"
    r"|detr_(en|de)coder\.layers\.\d+\.\w+_attn)"
)
_MLP = r"(vision_encoder\.backbone|detr_(en|de)coder)\.layers\.\d+\.mlp\.fc[12]"


def lora_config(rank: int, alpha: float, dropout: float, targets: Targets) -> LoraConfig:
    """Adapters in the attentions of the vision transformer and of the detector's two transformers.

    rank: of each product; alpha: it is multiplied by alpha / rank; dropout: of its input.
    targets: queries and values, whole attentions, or the layers' perceptrons as well.
    """
    from peft import LoraConfig

    names = rf"{_PLACES}\.{_IN_ATTENTION[targets]}"
    if targets == "all":
        names = f"({names}|{_MLP})"
    return LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=names, bias="none"
    )


def write_facts(folder: Path, base_sha256: str, more: Mapping[str, Any]) -> None:
    """Write beside the adapters what they belong to; OutputError where that fails."""
    from ..atomic import write_text

    facts = {"format": _FORMAT, "base_sha256": base_sha256, **more}
    write_text(folder / FACTS, json.dumps(facts, indent=2) + "\n")


def merged(network: Sam3Model, folder: Path, base_sha256: str) -> Sam3Model:
    """The network with the adapters of a folder multiplied into its weights; it is itself changed.

    base_sha256: of the file that the network was read from. Raises WeightsError where the folder
    holds no adapters of this model, or those of other weights.
    """
    from peft import LoraConfig, get_peft_model, set_peft_model_state_dict
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    facts = _facts(folder)
    theirs = str(facts.get("base_sha256"))
    if theirs != base_sha256:
        raise WeightsError(
            f"The adapters in {folder} were trained on weights with the SHA-256 {theirs[:12]}…, "
            f"not {base_sha256[:12]}…; give those with --weights, or leave the adapters out."
        )
    try:
        config = LoraConfig.from_pretrained(str(folder), local_files_only=True)
        tensors = load_file(str(folder / TENSORS))
        model = get_peft_model(network, config)
        found = set_peft_model_state_dict(model, tensors)
    except (OSError, SafetensorError, ValueError, TypeError, RuntimeError, KeyError) as error:
        raise WeightsError(f"The adapters in {folder} cannot be read ({error}).") from error
    faults = [f"{name} is unknown" for name in found.unexpected_keys]
    faults += [f"{name} is missing" for name in found.missing_keys if "lora_" in name]
    if faults:
        raise WeightsError(f"The adapters in {folder} do not fit: {faults[0]}; {_WAY_OUT}.")
    whole: Any = model.merge_and_unload()
    whole.requires_grad_(False)
    whole.eval()
    return cast("Sam3Model", whole)


def _facts(folder: Path) -> dict[str, Any]:
    absent = [name for name in (FACTS, _PEFT_CONFIG, TENSORS) if not (folder / name).is_file()]
    if absent:
        raise WeightsError(f"The folder {folder} lacks {', '.join(absent)}; {_WAY_OUT}.")
    try:
        facts: Any = json.loads((folder / FACTS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{folder / FACTS} cannot be read ({error}).") from error
    if not isinstance(facts, dict) or facts.get("format") != _FORMAT:
        raise WeightsError(f"{folder / FACTS} is not of adapters of medical-sam3; {_WAY_OUT}.")
    return facts
