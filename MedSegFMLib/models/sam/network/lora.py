"""Low-rank adapters in SAM's network, through peft.

Hu et al., "LoRA: low-rank adaptation of large language models", 2021. The weights stay as they are;
beside each chosen linear map a product of two thin matrices is learnt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor

from ...common.lora import load_adapters, lora_settings
from .config import SamConfig
from .network import Sam

Targets = Literal["qkv", "attention", "all"]
DecoderPart = Literal["lora", "frozen"]

_IN_BLOCKS = {
    "qkv": r"attn\.qkv",
    "attention": r"attn\.(qkv|proj)",
    "all": r"(attn\.(qkv|proj)|mlp\.lin[12])",
}
_IN_DECODER = r"mask_decoder\.transformer\..*\.(q_proj|k_proj|v_proj|out_proj|lin1|lin2)"


@dataclass(frozen=True)
class LoraChoice:
    """Where adapters sit and how large they are.

    rank: of each product; alpha: it is multiplied by alpha / rank; dropout: of its input.
    targets: which linear maps of a block of the encoder.
    blocks: how many of the encoder's blocks, from the last; 0 is all.
    decoder: whether the mask decoder's transformer has them as well.
    """

    rank: int
    alpha: float
    dropout: float
    targets: Targets
    blocks: int
    decoder: DecoderPart

    def first_block(self, config: SamConfig) -> int:
        """The first block that has adapters: those before it do the same for ever."""
        return max(0, config.depth - self.blocks) if self.blocks else 0

    def peft_settings(self, config: SamConfig) -> dict[str, Any]:
        """The same as a `LoraConfig` of peft takes it, in types of JSON."""
        numbers = "|".join(map(str, range(self.first_block(config), config.depth)))
        names = rf"image_encoder\.blocks\.({numbers})\.{_IN_BLOCKS[self.targets]}"
        if self.decoder == "lora":
            names = f"({names}|{_IN_DECODER})"
        return lora_settings(self.rank, self.alpha, self.dropout, names)


def with_adapters(network: Sam, settings: Mapping[str, Any]) -> PeftModel:
    """A network with fresh adapters in place: it computes what it did until they are trained.

    All but the adapters is frozen. `network` itself is changed. settings: see
    `LoraChoice.peft_settings`; TypeError or ValueError where peft knows no such.
    """
    network.requires_grad_(False)
    network.plain_decoder = True
    return get_peft_model(network, LoraConfig(**settings))


def merged(network: Sam, settings: Mapping[str, Any], tensors: dict[str, Tensor]) -> Sam:
    """A network with trained adapters multiplied into its weights; `network` itself is changed.

    Raises what `with_adapters` and `load_adapters` raise.
    """
    model = with_adapters(network, settings)
    load_adapters(model, tensors)
    whole: Any = model.merge_and_unload()
    whole.plain_decoder = False
    whole.requires_grad_(False)
    whole.eval()
    result: Sam = whole
    return result
