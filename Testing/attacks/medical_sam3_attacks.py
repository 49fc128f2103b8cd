"""Named attacks through SAM3's configurations and tokenizers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from Testing.attacks.foreign_changes import MANY, Change, setting


def _everywhere(**values: Any) -> Change:
    """A change of each part of a configuration."""

    def change(config: Any) -> None:
        waiting = [config]
        while waiting:
            part = waiting.pop()
            waiting += [item for item in part.values() if isinstance(item, dict)]
            part.update(values)

    return change


def _detector(*path: str) -> Callable[[Any], Change]:
    return setting("detector_config", *path)


_backbone = ("vision_config", "backbone_config")

CONFIGS: dict[str, Change] = {
    "attention from elsewhere": _everywhere(attn_implementation="someone/kernels"),
    "attention from elsewhere inside": _everywhere(_attn_implementation="someone/kernels"),
    "attention from elsewhere within": _everywhere(
        _attn_implementation_internal="someone/kernels:code"
    ),
    "attention by parts": _everywhere(attn_implementation={"": "someone/kernels"}),
    "attention that is not there": _everywhere(attn_implementation="flash_attention_9"),
    "experts from elsewhere": _everywhere(experts_implementation="someone/kernels"),
    "code from elsewhere": _everywhere(
        auto_map={"AutoConfig": "code.Config", "AutoModel": "someone/x--code.Model"},
        trust_remote_code=True,
    ),
    "quantisation": _everywhere(quantization_config={"quant_method": "bitsandbytes", "bits": 4}),
    "another type": _everywhere(torch_dtype="os", dtype="load"),
    "types by parts": _everywhere(dtype={"": "float16"}),
    "layers by parts": _everywhere(per_layer_config={"0": {"hidden_size": 8}}),
    "a name of a repository": _everywhere(_name_or_path="someone/x", name_or_path="someone/y"),
    "a compilation": _everywhere(compile_config={"backend": "x"}, use_kernels=True),
    "labels": _everywhere(id2label={"x": 1}, num_labels=10**9),
    "another backbone": _detector(*_backbone, "model_type")("hiera"),
    "another encoder of texts": _detector("text_config", "model_type")("llama"),
    "another network": setting("model_type")("sam2"),
    "a network in a list": setting("model_type")(["sam3"]),
    "a million layers": _detector(*_backbone, "num_hidden_layers")(MANY),
    "a million layers of text": _detector("text_config", "num_hidden_layers")(MANY),
    "a million layers of detection": _detector("detr_decoder_config", "num_layers")(MANY),
    "a billion channels": _detector(*_backbone, "hidden_size")(10**9),
    "wide channels": _detector(*_backbone, "hidden_size")(8192),
    "heads that do not divide": _detector(*_backbone, "num_attention_heads")(7),
    "no head": _detector(*_backbone, "num_attention_heads")(0),
    "a huge slice": _detector(*_backbone, "image_size")(MANY),
    "a slice of lists": _detector(*_backbone, "image_size")([56, 56]),
    "a slice of text": _detector(*_backbone, "image_size")("56"),
    "patches of nothing": _detector(*_backbone, "patch_size")(0),
    "patches that do not divide": _detector(*_backbone, "patch_size")(13),
    "a window of nothing": _detector(*_backbone, "window_size")(0),
    "a window beyond": _detector(*_backbone, "window_size")(1000),
    "layers that are not there": _detector(*_backbone, "global_attn_indexes")([99]),
    "an activation of code": _detector(*_backbone, "hidden_act")("os.system"),
    "an activation in a list": _detector(*_backbone, "hidden_act")(["ClippedGELUActivation", {}]),
    "turns of code": _detector(*_backbone, "rope_parameters")({"rope_type": "yarn", "factor": 9}),
    "turns of nothing": _detector(*_backbone, "rope_parameters")({}),
    "no words": _detector("text_config", "vocab_size")(0),
    "a billion words": _detector("text_config", "vocab_size")(10**9),
    "an end without words": _detector("text_config", "eos_token_id")(10**6),
    "no place for words": _detector("text_config", "max_position_embeddings")(1),
    "no text": _detector("text_config")(None),
    "a text of a number": _detector("text_config")(3),
    "no vision": _detector("vision_config")([]),
    "no scale": _detector("vision_config", "scale_factors")([]),
    "scales of five": _detector("vision_config", "scale_factors")([3.0] * 4),
    "sizes of features": _detector("vision_config", "backbone_feature_sizes")([[1, 1]]),
    "a million queries": _detector("detr_decoder_config", "num_queries")(MANY),
    "many upsamplings": _detector("mask_decoder_config", "num_upsampling_stages")(8),
    "a detector in a list": setting("detector_config")([1]),
    "a detector of nothing": setting("detector_config")({}),
    "a tracker in a list": setting("tracker_config")([1]),
    "a tracker of layers": setting("tracker_config", "memory_attention_num_layers")(MANY),
    "a tracker of memories": setting("tracker_config", "num_maskmem")(MANY),
    "a tracker of slices": setting("tracker_config", "image_size")(MANY),
    "a tracker of fusers": setting("tracker_config", "memory_fuser_kernel_size")(MANY),
    "a tracker of strides": setting("tracker_config", "mask_downsampler_stride")(1),
    "a tracker of downsampling": setting("tracker_config", "mask_downsampler_total_stride")(10**9),
    "a tracker without prompts": setting("tracker_config", "prompt_encoder_config")({}),
}


def _tokenizer(**values: Any) -> dict[str, bytes]:
    content = {
        "version": "1.0",
        "added_tokens": [],
        "model": {"type": "BPE", "vocab": {}},
        **values,
    }
    return {"tokenizer.json": json.dumps(content).encode()}


TOKENIZERS: dict[str, dict[str, bytes]] = {
    "no token": _tokenizer(model={"type": "BPE", "vocab": {}, "merges": []}),
    "another kind of tokens": _tokenizer(model={"type": "Unigram", "vocab": [["a", 0.1]]}),
    "tokens of text": _tokenizer(model={"type": "BPE", "vocab": {"a": "b"}, "merges": []}),
    "tokens beyond": _tokenizer(model={"type": "BPE", "vocab": {"a": 10**9}, "merges": []}),
    "tokens below": _tokenizer(model={"type": "BPE", "vocab": {"a": -1}, "merges": []}),
    "merges of nothing": _tokenizer(
        model={"type": "BPE", "vocab": {"a": 0}, "merges": [["x", "y"], ["z"]]}
    ),
    "merges of numbers": _tokenizer(model={"type": "BPE", "vocab": {"a": 0}, "merges": [[1, 2]]}),
    "an expression without end": _tokenizer(
        normalizer={"type": "Replace", "pattern": {"Regex": "(l|i|v|e|r)*$$x"}, "content": ""}
    ),
    "a tokenizer of a list": {"tokenizer.json": b"[]"},
    "settings of code": {
        "tokenizer_config.json": json.dumps(
            {"tokenizer_class": "Evil", "auto_map": {"AutoTokenizer": ["code.Evil", None]}}
        ).encode()
    },
    "a template of code": {
        "tokenizer_config.json": b'{"chat_template": "{{ x }}", "tokenizer_file": "/etc/passwd"}'
    },
    "merges that are not text": {"merges.txt": b"\xff\xfe\x00a b\n"},
    "merges without end": {"merges.txt": b"a b\n" * 200_000},
}
