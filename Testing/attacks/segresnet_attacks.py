"""Named attacks through MONAI's bundles, in JSON and YAML."""

from __future__ import annotations

from typing import Any

from Testing.attacks.foreign_changes import MANY, Change, setting

_CODE = "$__import__('pathlib').Path('ran').touch()"


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


_roi, _network_def = setting("inferer", "roi_size"), ("network_def",)

BUNDLES: dict[str, Change] = {
    "preprocessing is itself": setting("preprocessing")("@preprocessing"),
    "preprocessing is postprocessing is preprocessing": lambda config: config.update(
        preprocessing="@postprocessing", postprocessing="@preprocessing"
    ),
    "transforms are themselves": setting("preprocessing", "transforms")(
        "@preprocessing#transforms"
    ),
    "transforms are text": setting("preprocessing", "transforms")("x"),
    "transforms are numbers": setting("preprocessing", "transforms")([1, 2]),
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
    "a huge window": _roi([MANY] * 3),
    "a window of a terabyte": _roi([4096] * 3),
    "a window of one voxel": _roi([1, 1, 1]),
    "a window of two sides": _roi([16, 16]),
    "a window of the volume": _roi([-1, 0, -1]),
    "windows that never advance": setting("inferer", "overlap")(0.999999),
    "an overlap of text": setting("inferer", "overlap")("x"),
    "a billion windows at once": setting("inferer", "sw_batch_size")(10**9),
    "no window at once": setting("inferer", "sw_batch_size")(0),
    "a million blocks": setting(*_network_def, "blocks_down")([MANY]),
    "a million levels": setting(*_network_def, "blocks_down")([1] * MANY),
    "a billion channels": setting(*_network_def, "init_filters")(10**9),
    "wide channels": setting(*_network_def, "init_filters")(1024),
    "no channel": setting(*_network_def, "init_filters")(0),
    "a fraction of channels": setting(*_network_def, "init_filters")(8.5),
    "an activation of code": setting(*_network_def, "act")("os.system"),
    "an activation of settings": setting(*_network_def, "act")(["RELU", {"device": "x"}]),
    "an activation of nothing": setting(*_network_def, "act")([]),
    "a norm of code": setting(*_network_def, "norm")(["os.system", {}]),
    "a norm without groups": setting(*_network_def, "norm")(["GROUP", {"num_groups": 0}]),
    "a norm of five groups": setting(*_network_def, "norm")(["GROUP", {"num_groups": 5}]),
    "another way up": setting(*_network_def, "upsample_mode")("os"),
    "another network of MONAI": setting(*_network_def, "_target_")("monai.networks.nets.UNet"),
    "code as the network": setting(*_network_def, "_target_")("os.system"),
    "a network in a list": setting("network_def")([1]),
    "a tiny spacing": setting("pixdim")([1e-3] * 3),
    "a minute spacing": setting("pixdim")(1e-300),
    "a spacing of nothing": setting("pixdim")([]),
    "a function as a step": _transform(_target_="monai.transforms.Lambdad", func=_CODE),
    "code as a step": _transform(_target_="os.Spacingd", pixdim=[1, 1, 1]),
    "a type of code": _transform(_target_="ScaleIntensityd", dtype="object"),
    "a wide margin": _transform(_target_="CropForegroundd", source_key="image", margin=MANY),
    "a division by nothing": _transform(_target_="NormalizeIntensityd", divisor=0),
    "an orientation of text": _transform(_target_="Orientationd", axcodes="XYZ"),
    "percentiles beyond": _transform(
        _target_="ScaleIntensityRangePercentilesd", lower=-5, upper=500, b_min=0, b_max=1
    ),
    "intensities of infinity": _transform(
        _target_="ScaleIntensityRanged", a_min=0, a_max=0, b_min=0, b_max=1e15
    ),
    "a checkpoint elsewhere": setting("checkpointloader", "load_path")("/etc/passwd"),
    "a checkpoint above": setting("checkpointloader", "load_path")(".."),
    "a checkpoint of nothing": setting("checkpointloader", "load_path")(""),
    "handlers of themselves": setting("handlers")(["@handlers"]),
    "no window": setting("inferer")({}),
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
