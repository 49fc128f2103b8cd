"""Named attacks through the folder of VoxTell's text encoder."""

from __future__ import annotations

from typing import Any

from Testing.attacks.foreign_changes import MANY, Change, setting


def _told(**values: Any) -> Change:
    return lambda content: content.update(values)


def _template(**values: Any) -> Change:
    return lambda content: content["post_processor"]["processors"][1].update(values)


ENCODERS: dict[str, Change] = {
    "a million layers": _told(num_hidden_layers=MANY),
    "a billion channels": _told(hidden_size=10**9),
    "a vocabulary without end": _told(vocab_size=10**12),
    "a vocabulary of one": _told(vocab_size=1),
    "a wide middle": _told(intermediate_size=10**12),
    "no heads": _told(num_attention_heads=0),
    "more heads than channels": _told(num_attention_heads=256),
    "an odd head": _told(head_dim=7),
    "code as an activation": _told(hidden_act="os.system"),
    "another network": _told(model_type="gpt2"),
    "code of its own": _told(auto_map={"AutoModel": "evil.Model"}, trust_remote_code=True),
    "another attention": _told(_attn_implementation="flash_attention_2"),
    "attention from the hub": _told(attn_implementation="evil/kernel"),
    "quantised": _told(quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}),
    "a rotation that grows": _told(rope_scaling={"rope_type": "dynamic", "factor": MANY}),
    "a rotation of nothing": _told(rope_theta=0),
    "an unknown rotation": _told(rope_parameters={"rope_type": "evil", "rope_theta": 1.0}),
    "a sliding window": _told(use_sliding_window=True, sliding_window=0),
    "an epsilon of text": _told(rms_norm_eps="small"),
    "a bias without tensors": _told(attention_bias=True),
}
TOKENIZERS: dict[str, Change] = {
    "a token without end": setting("model", "vocab")({"a": 10**12}),
    "a negative token": setting("model", "vocab")({"a": -1}),
    "a token of text": setting("model", "vocab")({"a": "1"}),
    "tokens in a list": setting("model", "vocab")(["a"]),
    "no vocabulary": setting("model")({}),
    "merges of one": setting("model", "merges")(["a"]),
    "merges of numbers": setting("model", "merges")([[1, 2]]),
    "merges of what is not there": setting("model", "merges")([["☠", "☠"]]),
    "an added token without a number": setting("added_tokens")([{"content": "x"}]),
    "added tokens of numbers": setting("added_tokens")([1, 2]),
    "a splitter that takes forever": setting("pre_tokenizer")(
        {"type": "Split", "pattern": {"Regex": "(a|a)*$"}, "behavior": "Isolated", "invert": False}
    ),
    "a beginning token": _template(single=[{"SpecialToken": {"id": "x", "type_id": 0}}]),
    "nothing in the template": _template(single=[]),
    "a closing token that is not there": _template(special_tokens={}),
    "a closing token beyond the vocabulary": _template(
        special_tokens={"<|endoftext|>": {"id": "x", "ids": [10**9], "tokens": ["x"]}}
    ),
    "a million closing tokens": _template(
        special_tokens={"<|endoftext|>": {"id": "x", "ids": [1] * MANY, "tokens": ["x"]}}
    ),
    "a template that is a number": setting("post_processor")(3),
    "steps that are numbers": setting("post_processor")({"processors": [1, 2]}),
}
