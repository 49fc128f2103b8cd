"""Named attacks through nnU-Net's plans and datasets."""

from __future__ import annotations

from typing import Any

from Testing.attacks.foreign_changes import MANY, Change, setting


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
    "a million stages": _network(n_stages=MANY, features_per_stage=[1] * MANY),
    "a million convolutions": _network(n_conv_per_stage=[MANY, 1]),
    "a million convolutions in the decoder": _network(n_conv_per_stage_decoder=MANY),
    "a billion channels": _network(features_per_stage=[10**9, 10**9]),
    "many wide channels": _network(features_per_stage=[8192, 8192], kernel_sizes=[31, 31]),
    "huge kernels": _network(kernel_sizes=[[MANY] * 3] * 2),
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
    "a window of a petabyte": _configuration(patch_size=[MANY] * 3),
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
        resampling_fn_data_kwargs={"order": MANY, "is_seg": False}
    ),
    "no resampling": _configuration(resampling_fn_probabilities="no_resampling_hack"),
    "a thousand threads": _configuration(
        resampling_fn_data="resample_torch_simple",
        resampling_fn_data_kwargs={"num_threads": MANY, "is_seg": False},
    ),
    "another normalisation": _configuration(normalization_schemes=["ABC"]),
    "no normalisation": _configuration(normalization_schemes=[]),
    "a normalisation with text": _configuration(use_mask_for_norm=["yes"]),
    "inherits from itself": _configuration(inherits_from="3d_fullres"),
    "inherits from a list": _configuration(inherits_from=["3d_fullres"]),
    "inherits two thousand times": _chain,
    "configurations in a list": setting("configurations")([]),
    "no configuration": setting("configurations")({}),
    "another label manager": setting("label_manager")("os"),
    "axes twice": setting("transpose_forward")([0, 0, 0]),
    "axes that are not undone": setting("transpose_backward")([2, 0, 1]),
    "axes of text": setting("transpose_forward")("012"),
    "intensities of text": setting("foreground_intensity_properties_per_channel")({"0": "x"}),
    "intensities in a list": setting("foreground_intensity_properties_per_channel")([1]),
    "a reader in a list": setting("image_reader_writer")(["SimpleITKIO"]),
    "earlier plans": _earlier(),
    "earlier plans of a million stages": _earlier(n_conv_per_stage_encoder=[1] * MANY),
    "earlier plans of wide channels": _earlier(UNet_base_num_features=10**12),
    "earlier plans of another network": _earlier(UNet_class_name="os.system"),
}

DATASETS: dict[str, Change] = {
    "labels without end": setting("labels")({f"c{n}": n for n in range(100_000)}),
    "a label of a billion": setting("labels")({"background": 0, "liver": 10**9}),
    "labels with a gap": setting("labels")({"background": 0, "liver": 1, "spleen": 7}),
    "labels of text": setting("labels")({"background": "x", "liver": 1}),
    "labels in labels": setting("labels")({"background": 0, "liver": [[1]], "spleen": 2}),
    "labels without background": setting("labels")({"liver": 1, "spleen": 2}),
    "regions without order": setting("labels")({"background": 0, "a": [1, 2], "b": 2}),
    "an order without regions": setting("regions_class_order")([9, 9]),
    "no image": setting("channel_names")({}),
    "images of a number": setting("channel_names")(3),
}
