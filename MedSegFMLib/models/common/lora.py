"""Low-rank adapters through peft for any network: their settings and trained values.

Hu et al., "LoRA: low-rank adaptation of large language models", 2021. Imports without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def lora_settings(rank: int, alpha: float, dropout: float, names: str) -> dict[str, Any]:
    """The settings of adapters as peft's `LoraConfig` takes them, in JSON types.

    Args:
        rank: The rank of each product.
        alpha: Each product is multiplied by alpha / rank.
        dropout: The dropout probability of the adapter's input.
        names: A regular expression that matches the full names of the adapted linear layers.
    """
    return {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": dropout,
        "target_modules": names,
        "bias": "none",
    }


def load_adapters(model: Any, tensors: dict[str, Tensor]) -> None:
    """Load trained values, under peft's names, into the adapters of a PeftModel.

    Raises:
        KeyError: If a tensor is unknown or missing; the message names it.
        RuntimeError: If a shape differs.
    """
    from peft import set_peft_model_state_dict

    result: Any = set_peft_model_state_dict(model, tensors)
    for name in result.unexpected_keys:
        raise KeyError(f"{name} is unknown")
    for name in result.missing_keys:
        if "lora_" in name:
            raise KeyError(f"{name} is missing")
