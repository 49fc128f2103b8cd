"""Named attacks through foreign configurations: each changes the content of a good file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

Change = Callable[[Any], None]

_MANY = 10**6
_CODE = "$__import__('pathlib').Path('ran').touch()"


def _set(*path: str | int) -> Callable[[Any], Change]:
    """Changes that set the entry at a path."""

    def to(value: Any) -> Change:
        def change(content: Any) -> None:
            for key in path[:-1]:
                content = content[key]
            content[path[-1]] = value

        return change

    return to


def _configuration(**values: Any) -> Change:
    return lambda plans: plans["configurations"]["3d_fullres"].update(values)


def _network(**values: Any) -> Change:
    return lambda plans: plans["configurations"]["3d_fullres"]["architecture"][
        "arch_kwargs"
    ].update(values)


def _architecture(**values: Any) -> Change:
    return lambda plans: plans["configurations"]["3d_fullres"]["architecture"].update(values)


def _chain(plans: Any) -> None:
    good = plans["configurations"]["3d_fullres"]
    plans["configurations"] = {
        f"c{n}": {**good, "inherits_from": f"c{n + 1}"} for n in range(2000)
    } | {"3d_fullres": {**good, "inherits_from": "c0"}}


def _earlier(**values: Any) -> Change:
    """Plans of version 2.0, which have no architecture."""

    def change(plans: Any) -> None:
        configuration = plans["configurations"]["3d_fullres"]
        del configuration["architecture"]
        configuration.update(
            {
                "UNet_class_name": "PlainConvUNet",
                "UNet_base_num_features": 4,
                "unet_max_num_features": 8,
                "n_conv_per_stage_encoder": [1, 1],
                "n_conv_per_stage_decoder": [1],
                "num_pool_per_axis": [0, 1, 1],
                "pool_op_kernel_sizes": [[1, 1, 1], [1, 2, 2]],
                "conv_kernel_sizes": [[3, 3, 3], [3, 3, 3]],
                **values,
            }
        )

    return change


PLANS: dict[str, Change] = {
    "a million stages": _network(n_stages=_MANY, features_per_stage=[1] * _MANY),
    "a million convolutions": _network(n_conv_per_stage=[_MANY, 1]),
    "a million convolutions in the decoder": _network(n_conv_per_stage_decoder=_MANY),
    "a billion channels": _network(features_per_stage=[10**9, 10**9]),
    "many wide channels": _network(features_per_stage=[8192, 8192], kernel_sizes=[31, 31]),
    "huge kernels": _network(kernel_sizes=[[_MANY] * 3] * 2),
    "negative kernels": _network(kernel_sizes=[[-3] * 3] * 2),
    "strides of zero": _network(strides=[[0, 0, 0], [0, 0, 0]]),
    "huge strides": _network(strides=[[1, 1, 1], [16, 16, 16]]),
    "kernels of two axes": _network(kernel_sizes=[[3, 3]] * 2),
    "a layer for slices": _network(conv_op="torch.nn.Conv2d"),
    "no layer": _network(conv_op=None),
    "a layer that is not imported": _architecture(_kw_requires_import=[]),
    "an import of what is not there": _architecture(_kw_requires_import=["conv_op", "block"]),
    "an import of a number": _architecture(_kw_requires_import=["n_stages"]),
    "code as a layer": _network(conv_op="subprocess.Popen"),
    "code through torch": _network(nonlin="torch.nn.functional.torch.os.mkdir"),
    "a function of torch as a layer": _network(nonlin="torch.nn.functional.relu"),
    "code as the network": _architecture(network_class_name="os.system"),
    "another network": _architecture(
        network_class_name="dynamic_network_architectures.architectures.primus.Primus"
    ),
    "a network through the package": _architecture(
        network_class_name="dynamic_network_architectures.architectures.unet.torch.nn.Linear"
    ),
    "supervision twice": _network(deep_supervision=True),
    "an unknown setting": _network(initialise="x"),
    "a setting of a layer": _network(norm_op_kwargs={"device": "cuda:99"}),
    "a setting that is a list": _network(nonlin_kwargs=[1]),
    "normalisation without bounds": _network(norm_op_kwargs={"eps": -1}),
    "a window of a petabyte": _configuration(patch_size=[_MANY] * 3),
    "a window of a terabyte": _configuration(patch_size=[4096] * 3),
    "a window of nothing": _configuration(patch_size=[0, 0, 0]),
    "a window of one voxel": _configuration(patch_size=[1, 1, 1]),
    "a window of slices": _configuration(patch_size=[16, 16]),
    "a spacing of nothing": _configuration(spacing=[0, 0, 0]),
    "a tiny spacing": _configuration(spacing=[1e-3, 1e-3, 1e-3]),
    "a minute spacing": _configuration(spacing=[1e-300] * 3),
    "a spacing of text": _configuration(spacing="1"),
    "a spacing of slices": _configuration(spacing=[1.0, 1.0]),
    "another preprocessor": _configuration(preprocessor_name="os"),
    "another resampling": _configuration(resampling_fn_data="os"),
    "a resampling of settings": _configuration(
        resampling_fn_data_kwargs={"order": _MANY, "is_seg": False}
    ),
    "no resampling": _configuration(resampling_fn_probabilities="no_resampling_hack"),
    "a thousand threads": _configuration(
        resampling_fn_data="resample_torch_simple",
        resampling_fn_data_kwargs={"num_threads": _MANY, "is_seg": False},
    ),
    "another normalisation": _configuration(normalization_schemes=["ABC"]),
    "no normalisation": _configuration(normalization_schemes=[]),
    "a normalisation with text": _configuration(use_mask_for_norm=["yes"]),
    "inherits from itself": _configuration(inherits_from="3d_fullres"),
    "inherits from a list": _configuration(inherits_from=["3d_fullres"]),
    "inherits two thousand times": _chain,
    "configurations in a list": _set("configurations")([]),
    "no configuration": _set("configurations")({}),
    "another label manager": _set("label_manager")("os"),
    "axes twice": _set("transpose_forward")([0, 0, 0]),
    "axes that are not undone": _set("transpose_backward")([2, 0, 1]),
    "axes of text": _set("transpose_forward")("012"),
    "intensities of text": _set("foreground_intensity_properties_per_channel")({"0": "x"}),
    "intensities in a list": _set("foreground_intensity_properties_per_channel")([1]),
    "a reader in a list": _set("image_reader_writer")(["SimpleITKIO"]),
    "earlier plans": _earlier(),
    "earlier plans of a million stages": _earlier(n_conv_per_stage_encoder=[1] * _MANY),
    "earlier plans of wide channels": _earlier(UNet_base_num_features=10**12),
    "earlier plans of another network": _earlier(UNet_class_name="os.system"),
}

DATASETS: dict[str, Change] = {
    "labels without end": _set("labels")({f"c{n}": n for n in range(100_000)}),
    "a label of a billion": _set("labels")({"background": 0, "liver": 10**9}),
    "labels with a gap": _set("labels")({"background": 0, "liver": 1, "spleen": 7}),
    "labels of text": _set("labels")({"background": "x", "liver": 1}),
    "labels in labels": _set("labels")({"background": 0, "liver": [[1]], "spleen": 2}),
    "labels without background": _set("labels")({"liver": 1, "spleen": 2}),
    "regions without order": _set("labels")({"background": 0, "a": [1, 2], "b": 2}),
    "an order without regions": _set("regions_class_order")([9, 9]),
    "no image": _set("channel_names")({}),
    "images of a number": _set("channel_names")(3),
}


def _expressions(base: str, count: int) -> Change:
    """Entries that each add the next one twice."""

    def change(config: Any) -> None:
        config.update({f"e{n}": f"$@e{n + 1} + @e{n + 1}" for n in range(count)})
        config[f"e{count}"] = base
        config["inferer"]["roi_size"] = "@e0"

    return change


def _references(config: Any) -> None:
    config.update({f"e{n}": [f"@e{n + 1}"] * 10 for n in range(20)})
    config["e20"] = 1
    config["inferer"]["roi_size"] = "@e0"


def _transform(**step: Any) -> Change:
    return lambda config: config["preprocessing"]["transforms"].append({"keys": "image", **step})


_roi, _network_def = _set("inferer", "roi_size"), ("network_def",)

BUNDLES: dict[str, Change] = {
    "preprocessing is itself": _set("preprocessing")("@preprocessing"),
    "preprocessing is postprocessing is preprocessing": lambda config: config.update(
        preprocessing="@postprocessing", postprocessing="@preprocessing"
    ),
    "transforms are themselves": _set("preprocessing", "transforms")("@preprocessing#transforms"),
    "transforms are text": _set("preprocessing", "transforms")("x"),
    "transforms are numbers": _set("preprocessing", "transforms")([1, 2]),
    "expressions that double a list": _expressions("$[1, 2]", 29),
    "expressions that double a text": _expressions("$'xx'", 29),
    "references that grow": _references,
    "an expression that is code": _roi(_CODE),
    "code in a disabled step": _transform(_target_="Orientationd", _disabled_=_CODE),
    "an expression of brackets": _roi("$" + "(" * 900 + "1" + ")" * 900),
    "an expression of minus signs": _roi("$" + "-" * 1900 + "1"),
    "an expression of sums": _roi("$" + "1+" * 900 + "1"),
    "a long expression": _roi("$" + "1+" * 100_000 + "1"),
    "a choice of choices": _roi("$" + "1 if 1 else " * 150 + "2"),
    "a power": _roi("$9 ** 9 ** 9"),
    "a huge window": _roi([_MANY] * 3),
    "a window of a terabyte": _roi([4096] * 3),
    "a window of one voxel": _roi([1, 1, 1]),
    "a window of two sides": _roi([16, 16]),
    "a window of the volume": _roi([-1, 0, -1]),
    "windows that never advance": _set("inferer", "overlap")(0.999999),
    "an overlap of text": _set("inferer", "overlap")("x"),
    "a billion windows at once": _set("inferer", "sw_batch_size")(10**9),
    "no window at once": _set("inferer", "sw_batch_size")(0),
    "a million blocks": _set(*_network_def, "blocks_down")([_MANY]),
    "a million levels": _set(*_network_def, "blocks_down")([1] * _MANY),
    "a billion channels": _set(*_network_def, "init_filters")(10**9),
    "wide channels": _set(*_network_def, "init_filters")(1024),
    "no channel": _set(*_network_def, "init_filters")(0),
    "a fraction of channels": _set(*_network_def, "init_filters")(8.5),
    "an activation of code": _set(*_network_def, "act")("os.system"),
    "an activation of settings": _set(*_network_def, "act")(["RELU", {"device": "x"}]),
    "an activation of nothing": _set(*_network_def, "act")([]),
    "a norm of code": _set(*_network_def, "norm")(["os.system", {}]),
    "a norm without groups": _set(*_network_def, "norm")(["GROUP", {"num_groups": 0}]),
    "a norm of five groups": _set(*_network_def, "norm")(["GROUP", {"num_groups": 5}]),
    "another way up": _set(*_network_def, "upsample_mode")("os"),
    "another network of MONAI": _set(*_network_def, "_target_")("monai.networks.nets.UNet"),
    "code as the network": _set(*_network_def, "_target_")("os.system"),
    "a network in a list": _set("network_def")([1]),
    "a tiny spacing": _set("pixdim")([1e-3] * 3),
    "a minute spacing": _set("pixdim")(1e-300),
    "a spacing of nothing": _set("pixdim")([]),
    "a function as a step": _transform(_target_="monai.transforms.Lambdad", func=_CODE),
    "code as a step": _transform(_target_="os.Spacingd", pixdim=[1, 1, 1]),
    "a type of code": _transform(_target_="ScaleIntensityd", dtype="object"),
    "a wide margin": _transform(_target_="CropForegroundd", source_key="image", margin=_MANY),
    "a division by nothing": _transform(_target_="NormalizeIntensityd", divisor=0),
    "an orientation of text": _transform(_target_="Orientationd", axcodes="XYZ"),
    "percentiles beyond": _transform(
        _target_="ScaleIntensityRangePercentilesd", lower=-5, upper=500, b_min=0, b_max=1
    ),
    "intensities of infinity": _transform(
        _target_="ScaleIntensityRanged", a_min=0, a_max=0, b_min=0, b_max=1e15
    ),
    "a checkpoint elsewhere": _set("checkpointloader", "load_path")("/etc/passwd"),
    "a checkpoint above": _set("checkpointloader", "load_path")(".."),
    "a checkpoint of nothing": _set("checkpointloader", "load_path")(""),
    "handlers of themselves": _set("handlers")(["@handlers"]),
    "no window": _set("inferer")({}),
}

YAML: dict[str, str] = {
    "aliases that double": "a: &a [x]\n"
    + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    ),
    "an alias of itself": "a: &a [*a]\n",
    "merges": "a: &a {x: 1}\nb: {<<: *a}\n",
    "a tag of Python": "a: !!python/object/apply:pathlib.Path.touch [ran]\n",
    "a name of Python": "a: !!python/name:os.system\n",
    "binary": "a: !!binary aGk=\n",
    "a set": "a: !!set {x}\n",
    "a date": "a: 2026-01-01\n",
    "not a number": "a: .nan\n",
    "infinity": "a: .inf\n",
    "depth": "a: " + "[" * 5000 + "]" * 5000 + "\n",
    "open depth": "a: " + "[" * 100_000 + "\n",
    "question marks": "? " * 3000 + "\n",
    "a key twice": "pixdim: 1\npixdim: 2\n",
    "a key that is a list": "? [1, 2]\n: x\n",
    "two documents": "---\na: 1\n---\nb: 2\n",
    "much": "a: " + "x" * 10_000_000 + "\n",
    "many": "b:\n" + "- 1\n" * 20_000,
    "a long number": "a: " + "9" * 6000 + "\n",
    "a long number of base 60": "a: 1" + ":59" * 3000 + "\n",
}


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
    return _set("detector_config", *path)


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
    "another network": _set("model_type")("sam2"),
    "a network in a list": _set("model_type")(["sam3"]),
    "a million layers": _detector(*_backbone, "num_hidden_layers")(_MANY),
    "a million layers of text": _detector("text_config", "num_hidden_layers")(_MANY),
    "a million layers of detection": _detector("detr_decoder_config", "num_layers")(_MANY),
    "a billion channels": _detector(*_backbone, "hidden_size")(10**9),
    "wide channels": _detector(*_backbone, "hidden_size")(8192),
    "heads that do not divide": _detector(*_backbone, "num_attention_heads")(7),
    "no head": _detector(*_backbone, "num_attention_heads")(0),
    "a huge slice": _detector(*_backbone, "image_size")(_MANY),
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
    "a million queries": _detector("detr_decoder_config", "num_queries")(_MANY),
    "many upsamplings": _detector("mask_decoder_config", "num_upsampling_stages")(8),
    "a detector in a list": _set("detector_config")([1]),
    "a detector of nothing": _set("detector_config")({}),
    "a tracker in a list": _set("tracker_config")([1]),
    "a tracker of layers": _set("tracker_config", "memory_attention_num_layers")(_MANY),
    "a tracker of memories": _set("tracker_config", "num_maskmem")(_MANY),
    "a tracker of slices": _set("tracker_config", "image_size")(_MANY),
    "a tracker of fusers": _set("tracker_config", "memory_fuser_kernel_size")(_MANY),
    "a tracker of strides": _set("tracker_config", "mask_downsampler_stride")(1),
    "a tracker of downsampling": _set("tracker_config", "mask_downsampler_total_stride")(10**9),
    "a tracker without prompts": _set("tracker_config", "prompt_encoder_config")({}),
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
