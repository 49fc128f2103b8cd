"""Low-rank adapters through peft, whatever the network: their settings, and their trained values.

Hu et al., "LoRA: low-rank adaptation of large language models", 2021. Imports without torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


def lora_settings(rank: int, alpha: float, dropout: float, names: str) -> dict[str, Any]:
    """Adapters as a `LoraConfig` of peft takes them, in types of JSON.

    rank: of each product; alpha: it is multiplied by alpha / rank; dropout: of its input. names: a
    regular expression that the linear maps' whole names match.
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
    """Give a PeftModel's adapters their trained values, as peft names them.

    Raises KeyError, which names one, where they are not those of the model, RuntimeError for other
    shapes.
    """
    from peft import set_peft_model_state_dict

    found: Any = set_peft_model_state_dict(model, tensors)
    for name in found.unexpected_keys:
        raise KeyError(f"{name} is unknown")
    for name in found.missing_keys:
        if "lora_" in name:
            raise KeyError(f"{name} is missing")
