"""Low-rank adapters through peft for any network: their settings and trained values.

Hu et al., "LoRA: low-rank adaptation of large language models", 2021. Imports without torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .setting_rules import FRACTION, Rule, Rules, check_settings, number, one_of, whole

if TYPE_CHECKING:
    from torch import Tensor

_SETTINGS: Rules = {
    "peft_type": one_of("LORA"),
    "r": whole(1, 4096),
    "lora_alpha": number(0, 1e6),
    "lora_dropout": FRACTION,
    "bias": one_of("none"),
}


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


def check_lora_settings(settings: Mapping[str, Any], names: Iterable[str]) -> None:
    """Check settings from a file: peft would import, compute or match whatever they say.

    Args:
        settings: The settings.
        names: The regular expressions of layers that this project writes.

    Raises:
        SettingFault: A setting is not among those of `lora_settings`, or breaks its rule.
    """
    known = set(names)
    layers = Rule("layers of a training by this project", lambda value: value in known)
    check_settings(settings, {**_SETTINGS, "target_modules": layers}, "peft")


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
