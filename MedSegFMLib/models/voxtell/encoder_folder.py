"""The folder of the text encoder, Qwen3-Embedding-4B as it is published, read strictly.

Only settings with a rule, tensors of safetensors files, and the tokenizer's vocabulary, merges and
closing tokens are read. Nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import MissingPartError, WeightsError
from ...system.json_files import load_json
from ...weights.folders import read_json
from ..common.configuration_errors import configuration_errors
from ..common.setting_rules import (
    CHANNELS,
    FLAG,
    FRACTION,
    MOST_CHANNELS,
    MOST_LAYERS,
    NOTHING,
    Rules,
    SettingFault,
    known_settings,
    number,
    one_of,
    optional,
    shown,
    stated_parts,
    whole,
)
from ..common.state_dict import read_safetensors
from .folder import MODEL

if TYPE_CHECKING:
    from torch import Tensor

PUBLISHED_ENCODER = "Qwen3-Embedding-4B"
ADVICE = f"give the folder of {PUBLISHED_ENCODER} as it was published"
NEEDS = "transformers writes"

_KIND = "qwen3"
_MOST_TOKENS = 1 << 20
_MOST_BYTES = 64_000_000
_HEADS = whole(1, 256)
_RULES: Rules = {
    "vocab_size": whole(1, _MOST_TOKENS),
    "hidden_size": CHANNELS,
    "intermediate_size": whole(1, 16 * MOST_CHANNELS),
    "num_hidden_layers": whole(1, MOST_LAYERS),
    "num_attention_heads": _HEADS,
    "num_key_value_heads": optional(_HEADS),
    "head_dim": whole(2, 1024),
    "hidden_act": one_of("silu"),
    "max_position_embeddings": whole(1, 1 << 22),
    "rms_norm_eps": FRACTION,
    "attention_bias": FLAG,
    "use_sliding_window": one_of(False),
}
# Before version 5 of transformers these two, since then rope_parameters with both.
_EARLIER_ROTATION: Rules = {"rope_theta": number(1, 1e9), "rope_scaling": NOTHING}
_ROTATION: Rules = {"rope_theta": number(1, 1e9), "rope_type": one_of("default")}
_ROTATION_BASE = 10_000.0
# Heads of language models, and the prefix that these have.
_PREFIX, _UNUSED = "model.", "lm_head.weight"


@dataclass(frozen=True, eq=False)
class EncoderFiles:
    """The content of a folder.

    Attributes:
        path: The folder.
        settings: Those of transformers' `Qwen3Config`, checked.
        vocabulary: The number of each token.
        merges: The pairs of tokens to merge, in order.
        closing: The numbers of the tokens after each text.
        tensors: The network's.
    """

    path: Path
    settings: Mapping[str, Any]
    vocabulary: Mapping[str, int]
    merges: tuple[tuple[str, str], ...]
    closing: tuple[int, ...]
    tensors: Mapping[str, Tensor]


def read(folder: Path) -> EncoderFiles:
    """Read a folder.

    Raises:
        MissingPartError: It is not there, or lacks a file.
        WeightsError: It is damaged, or of another network.
    """
    files = sorted(folder.glob("model*.safetensors"))
    lacking = [n for n in ("config.json", "tokenizer.json") if not (folder / n).is_file()]
    if lacking or not files:
        raise MissingPartError(
            f"{folder} has no {lacking[0] if lacking else 'model*.safetensors'}, which VoxTell's "
            f"text encoder needs; {ADVICE}."
        )
    with configuration_errors(MODEL, folder, NEEDS, ADVICE):
        settings = _settings(read_json(folder / "config.json"))
        document = load_json(folder / "tokenizer.json", dict, _MOST_BYTES)
        vocabulary, merges = _pieces(document)
        closing = _closing(document.get("post_processor"))
        tensors: dict[str, Tensor] = {}
        for file in files:
            for name, tensor in read_safetensors(file).items():
                if name == _UNUSED:
                    continue
                short = name.removeprefix(_PREFIX)
                if short in tensors:
                    raise WeightsError(f"{folder} has the tensor {short} twice; {ADVICE}.")
                tensors[short] = tensor
        largest = max((*vocabulary.values(), *closing), default=0)
        if largest >= settings.get("vocab_size", 0):
            raise SettingFault(f"its tokenizer has the token {largest}, beyond its vocab_size")
    return EncoderFiles(folder, settings, vocabulary, merges, closing, tensors)


def _settings(values: dict[str, Any]) -> dict[str, Any]:
    """The settings of `Qwen3Config`, each of them checked."""
    parts = stated_parts(values, "the configuration")
    if parts.get("model_type") != _KIND:
        raise SettingFault(
            f"its model_type is {shown(parts.get('model_type'))}, and it must be {_KIND}"
        )
    settings = known_settings(parts, _RULES, "the configuration")
    given = parts.get("rope_parameters")
    if given is None:
        earlier = known_settings(parts, _EARLIER_ROTATION, "the configuration")
        given = {"rope_theta": earlier.get("rope_theta", _ROTATION_BASE)}
        if "rope_scaling" in parts:
            raise SettingFault(
                f"rope_scaling of the configuration is {shown(parts['rope_scaling'])}, and it must "
                "be null"
            )
    rotation = known_settings(given, _ROTATION, "rope_parameters")
    return {**settings, "rope_parameters": {"rope_type": "default", **rotation}}


def _pieces(document: dict[str, Any]) -> tuple[dict[str, int], tuple[tuple[str, str], ...]]:
    """The vocabulary with all added tokens, and the merges, of a tokenizer.json."""
    model = document["model"]
    added = {token["content"]: token["id"] for token in document.get("added_tokens") or []}
    vocabulary = {**added, **model["vocab"]}
    if not all(type(n) is int and 0 <= n < _MOST_TOKENS for n in vocabulary.values()):
        raise SettingFault(f"a token has no number from 0 to {_MOST_TOKENS}")
    pairs = [tuple(p.split(" ") if isinstance(p, str) else p) for p in model["merges"]]
    if not all(len(pair) == 2 and all(isinstance(n, str) for n in pair) for pair in pairs):
        raise SettingFault("a merge of its tokenizer is not a pair of tokens")
    return vocabulary, tuple((first, second) for first, second in pairs)


def _closing(processor: Any) -> tuple[int, ...]:
    """The numbers of the tokens that a tokenizer.json puts after a text.

    Raises:
        SettingFault: It puts any before it, or is of another form.
    """
    steps = processor.get("processors", [processor]) if isinstance(processor, dict) else []
    closing: list[int] = []
    for template in (step for step in steps if step.get("type") == "TemplateProcessing"):
        text, *rest = template["single"]
        if "Sequence" not in text:
            raise SettingFault("its tokenizer begins a text with a token, which Qwen3's does not")
        for item in rest:
            closing += template["special_tokens"][item["SpecialToken"]["id"]]["ids"]
    if not all(type(n) is int and 0 <= n < _MOST_TOKENS for n in closing):
        raise SettingFault(f"a closing token has no number from 0 to {_MOST_TOKENS}")
    return tuple(closing)
