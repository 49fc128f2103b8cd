"""MONAI bundles of SegResNet: the answers are those of the bundle run by MONAI, as published."""

from __future__ import annotations

import copy
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import segresnet_bundles
import torch
import yaml
from class_labelmaps import labelmap_of
from sample_volumes import make_blob
from segresnet_bundles import CLASSES, inference, write_bundle

from MedSegFMLib import Geometry, Volume, create
from MedSegFMLib.cli import main
from MedSegFMLib.errors import Cancelled, ModelError, WeightsError

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def volume(directions: np.ndarray) -> Volume:
    geometry = Geometry.from_spacing((14, 30, 33), (0.9, 0.8, 2.1), directions, (5, -6, 70))
    return make_blob(geometry)[0]


def run_by_monai(folder: Path, image: Volume | Path, **changes: Any) -> np.ndarray:
    """The labels that MONAI's own reading of the configuration makes of a file.

    Or of a volume as a file of it would be read: a file has its matrix in fewer digits.
    """
    from monai.bundle import ConfigParser

    parser = ConfigParser()
    parser.read_config(str(folder / "configs" / "inference.json"))
    for name, value in changes.items():
        parser[name.replace("__", "#")] = value
    steps = parser["postprocessing#transforms"]
    parser["postprocessing#transforms"] = [s for s in steps if s["_target_"] != "SaveImaged"]
    parser["bundle_root"] = str(folder)
    if isinstance(image, Volume):
        preparing = parser["preprocessing#transforms"]
        parser["preprocessing#transforms"] = [
            step for step in preparing if step["_target_"] not in ("LoadImaged", "EnsureTyped")
        ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network = parser.get_parsed_content("network").eval()
        held = torch.load(parser.get_parsed_content("checkpointloader#load_path"))
        network.load_state_dict(held.get("model", held))
        data = parser.get_parsed_content("preprocessing")(
            {"image": as_read(image) if isinstance(image, Volume) else image}
        )
        with torch.no_grad():
            data["pred"] = parser.get_parsed_content("inferer")(data["image"][None], network)[0]
        data = parser.get_parsed_content("postprocessing")(data)
    return np.asarray(data["pred"][0]).transpose().astype(int)


def as_read(volume: Volume) -> Any:
    from monai.data import MetaTensor
    from monai.utils import SpaceKeys

    meta = {"original_channel_dim": "no_channel", "space": SpaceKeys.RAS}
    array = torch.from_numpy(volume.array_kji.transpose().copy())
    return MetaTensor(array, affine=volume.geometry.ijk_to_ras.copy(), meta=meta)


def changed(folder: Path, **changes: Any) -> Path:
    """A bundle of which some entries of the configuration are others."""
    config = inference()
    for name, value in changes.items():
        place = config
        *groups, key = name.split("__")
        for group in groups:
            place = place[group]
        place[key] = value
    return write_bundle(folder, config)


def transforms(*names: str, **settings: Any) -> list[dict[str, Any]]:
    """The published preprocessing with one step more before its last."""
    steps = copy.deepcopy(inference()["preprocessing"]["transforms"])
    return [*steps[:-1], *({"_target_": n, "keys": "image", **settings} for n in names), steps[-1]]


def answers(**last: Any) -> list[dict[str, Any]]:
    """Probabilities, brought back between voxels, then told apart."""
    return [
        {"_target_": "Activationsd", "keys": "pred", **last.get("activation", {"softmax": True})},
        {
            "_target_": "Invertd",
            "keys": "pred",
            "transform": "@preprocessing",
            "orig_keys": "image",
            "nearest_interp": False,
            "to_tensor": True,
        },
        {"_target_": "AsDiscreted", "keys": "pred", **last.get("discrete", {"argmax": True})},
    ]


def test_the_labels_are_those_of_the_published_pipeline(bundle: Path, volume: Volume) -> None:
    expected = run_by_monai(bundle, volume)
    model = create("segresnet", "cpu", weights=bundle)
    assert model.classes == CLASSES
    assert len(np.unique(expected)) == 4
    assert np.array_equal(labelmap_of(model, volume), expected)


def test_the_coarser_network_is_taken_where_it_is_asked_for(bundle: Path, tmp_path: Path) -> None:
    volume = make_blob(Geometry.from_spacing((14, 30, 33), (2.9, 1.8, 2.1)))[0]
    expected = run_by_monai(bundle, volume, displayable_configs__highres=False)
    model = create("segresnet", "cpu", weights=bundle, highres="false")
    assert np.array_equal(labelmap_of(model, volume), expected)
    assert not np.array_equal(expected, run_by_monai(bundle, volume))


def test_answers_brought_back_between_voxels_are_told_apart_there(
    volume: Volume, tmp_path: Path
) -> None:
    folder = changed(tmp_path / "bundle", postprocessing__transforms=answers())
    expected = run_by_monai(folder, volume)
    found = labelmap_of(create("segresnet", "cpu", weights=folder), volume)
    assert np.array_equal(found, expected)


def test_a_network_of_one_class_needs_no_background(volume: Volume, tmp_path: Path) -> None:
    steps = answers(activation={"sigmoid": True}, discrete={"threshold": 0.5})
    config = inference(outputs=1)
    config["postprocessing"]["transforms"] = steps
    folder = write_bundle(tmp_path / "bundle", config, names=("lesion",))
    expected = run_by_monai(folder, volume)
    model = create("segresnet", "cpu", weights=folder)
    assert model.classes == ("lesion",) and 0 < expected.sum() < expected.size
    assert np.array_equal(labelmap_of(model, volume), expected)


@pytest.mark.parametrize(
    "step",
    [
        {"_target_": "CropForegroundd", "source_key": "image", "margin": 2},
        {
            "_target_": "ScaleIntensityRanged",
            "a_min": -20,
            "a_max": 110,
            "b_min": 0.0,
            "b_max": 1.0,
            "clip": True,
        },
        {
            "_target_": "monai.transforms.ScaleIntensityRangePercentilesd",
            "lower": 1,
            "upper": 99,
            "b_min": 0,
            "b_max": 1,
        },
    ],
    ids=lambda step: step["_target_"],
)
def test_each_known_step_is_that_of_monai(step: dict[str, Any], tmp_path: Path) -> None:
    settings = {key: value for key, value in step.items() if key != "_target_"}
    folder = changed(
        tmp_path / "bundle",
        preprocessing__transforms=transforms(step["_target_"], **settings),
    )
    volume = make_blob(Geometry.from_spacing((14, 30, 33), (0.9, 0.8, 2.1)))[0]
    # Air around, for those that look for it.
    volume.array_kji[:, :4] = -5
    expected = run_by_monai(folder, volume)
    found = labelmap_of(create("segresnet", "cpu", weights=folder), volume)
    assert np.array_equal(found, expected)


def test_a_configuration_may_be_yaml(bundle: Path, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle")
    (folder / "configs" / "inference.json").unlink()
    (folder / "configs" / "inference.yaml").write_text(yaml.safe_dump(inference()))
    volume = make_blob(Geometry.from_spacing((14, 30, 33), (0.9, 0.8, 2.1)))[0]
    one, other = (create("segresnet", "cpu", weights=path) for path in (bundle, folder))
    assert np.array_equal(labelmap_of(one, volume), labelmap_of(other, volume))


@pytest.mark.parametrize("place", ["inferer__roi_size", "network_def__out_channels", "pixdim"])
def test_what_a_bundle_computes_is_never_run(place: str, tmp_path: Path) -> None:
    target = tmp_path / "harm"
    harm = f"$__import__('pathlib').Path({str(target)!r}).touch()"
    folder = write_bundle(tmp_path / "bundle")
    path = folder / "configs" / "inference.json"
    config = json.loads(path.read_text(encoding="utf-8"))
    *groups, key = place.split("__")
    (config[groups[0]] if groups else config)[key] = harm
    path.write_text(json.dumps(config))
    with pytest.raises(WeightsError, match="which is never run"):
        create("segresnet", "cpu", weights=folder)
    assert not target.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"preprocessing": "@preprocessing"}, "refers to itself in '@preprocessing'"),
        ({"preprocessing__transforms": "@preprocessing#transforms"}, "refers to itself"),
        ({"inferer__roi_size": [10**6] * 3}, "roi_size of SlidingWindowInferer .* 8 to 4096"),
        ({"inferer__roi_size": [1024] * 3}, r"a window \(roi_size\) .* at most"),
        ({"inferer__overlap": 0.999}, "overlap of SlidingWindowInferer .* from 0 to 0.9"),
        ({"inferer__sw_batch_size": 10**9}, "sw_batch_size .* from 1 to 64"),
        ({"inferer__roi_size": "$" + "1+" * 2000 + "1"}, "which is never run"),
        ({"inferer__roi_size": "$9 ** 9 ** 9"}, "which is never run"),
        ({"pixdim": [1e-9] * 3}, "pixdim of Spacingd"),
        ({"preprocessing__transforms": transforms("os.Spacingd")}, "with os.Spacingd, which is"),
    ],
    ids=str,
)
def test_a_bundle_beyond_its_bounds_is_refused(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(WeightsError, match=words):
        create("segresnet", "cpu", weights=changed(tmp_path / "bundle", **changes))


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"blocks_down": [10**6]}, "blocks_down of the network .* from 1 to 64"),
        ({"init_filters": 10**9}, "init_filters of the network .* from 1 to 1024"),
        ({"act": "os.system"}, "act of the network is 'os.system'.*one of RELU"),
        ({"norm": ["GROUP", {"device": "x"}]}, "norm of the network"),
        ({"upsample_mode": "os"}, "upsample_mode"),
    ],
    ids=str,
)
def test_a_network_beyond_its_bounds_is_refused(
    setting: dict[str, Any], words: str, tmp_path: Path
) -> None:
    folder = write_bundle(tmp_path / "bundle")
    config = inference()
    config["network_def"].update(setting)
    (folder / "configs" / "inference.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=words):
        create("segresnet", "cpu", weights=folder)


@pytest.mark.parametrize("base", ["$[1, 2]", "$'xx'", ["@e21", "@e21"]], ids=str)
def test_entries_that_double_one_another_have_a_budget(base: Any, tmp_path: Path) -> None:
    config = inference()
    config.update({f"e{n}": f"$@e{n + 1} + @e{n + 1}" for n in range(20)})
    config.update(e20=base, e21=1)
    config["inferer"]["roi_size"] = "@e0"
    with pytest.raises(WeightsError, match="more than 50000 steps"):
        create("segresnet", "cpu", weights=write_bundle(tmp_path / "bundle", config))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &a [x]\nb: [*a, *a]\n", r"has the alias \*a"),
        ("a: &a [*a]\n", r"has the alias \*a"),
        ("a: !!python/object/apply:os.getcwd []\n", "could not determine a constructor"),
        ("a: " + "[" * 5000 + "]" * 5000, "nested deeper than 64"),
        ("pixdim: 1\npixdim: 2\n", "has 'pixdim' twice"),
        ("a: .nan\n", "contains NaN"),
        ("a: 2026-01-01\n", "not JSON serializable"),
        ("a: " + "x" * 200_000, "more than 100000"),
    ],
    ids=lambda text: text[:30],
)
def test_yaml_is_read_as_json(text: str, words: str, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle")
    (folder / "configs" / "inference.json").unlink()
    (folder / "configs" / "inference.yaml").write_text(text)
    with pytest.raises(WeightsError, match=words) as caught:
        create("segresnet", "cpu", weights=folder)
    assert "\n" not in str(caught.value)


class Harm:
    """Unpickled, it would write a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.write_text, (self.path, "done"))


def test_a_checkpoint_that_would_run_something_is_never_unpickled(tmp_path: Path) -> None:
    folder, target = write_bundle(tmp_path / "bundle"), tmp_path / "harm"
    torch.save({"model": {}, "harm": Harm(target)}, folder / "models" / "model.pt")
    with pytest.raises(WeightsError, match="more than tensors, which is never loaded"):
        create("segresnet", "cpu", weights=folder)
    assert not target.exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"network_def__in_channels": 4}, "takes 4 images of each volume at once"),
        ({"network_def___target_": "UNet"}, "is of the network UNet, not SegResNet"),
        ({"network_def__spatial_dims": 2}, "a network for slices"),
        ({"network_def__depth": 3}, "does not describe a valid SegResNet of MONAI"),
        ({"preprocessing__transforms": transforms("RandFlipd")}, "with RandFlipd, which is not"),
        ({"preprocessing__transforms": transforms("Spacingd", warp=1)}, "MONAI does not support"),
        ({"inferer___target_": "SimpleInferer"}, "with SimpleInferer; only"),
        ({"pixdim": "@pixdim"}, "refers to itself"),
        ({"pixdim": "@nothing"}, "has no 'nothing'"),
        (
            {"postprocessing__transforms": [{"_target_": "KeepLargestConnectedComponentd"}]},
            "postprocesses with KeepLargestConnectedComponentd",
        ),
        (
            {"postprocessing__transforms": answers(activation={"sigmoid": True})},
            "lets 4 classes overlap",
        ),
    ],
    ids=str,
)
def test_what_is_not_known_is_named(changes: dict[str, Any], words: str, tmp_path: Path) -> None:
    folder = write_bundle(tmp_path / "bundle")
    other = changed(tmp_path / "other", **changes) if "network_def" not in str(changes) else None
    if other is None:
        config = inference()
        ((name, value),) = changes.items()
        config["network_def"][name.removeprefix("network_def__")] = value
        (folder / "configs" / "inference.json").write_text(json.dumps(config))
    with pytest.raises(WeightsError, match=words) as caught:
        create("segresnet", "cpu", weights=other or folder)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def broken(folder: Path, fault: str) -> Path:
    """A bundle with one thing wrong."""
    model = folder / "models" / "model.pt"
    match fault:
        case "no metadata":
            (folder / "configs" / "metadata.json").unlink()
        case "no network":
            model.unlink()
        case "truncated":
            model.write_bytes(model.read_bytes()[:-3000])
        case "another network":
            network = {"out_channels": 4, "init_filters": 16, "blocks_down": (1, 1)}
            torch.save(segresnet_bundles.random_state(blocks_up=(1,), **network), model)
        case "too few names":
            told = segresnet_bundles.metadata(("background", "liver"))
            (folder / "configs" / "metadata.json").write_text(json.dumps(told))
        case "names twice":
            told = segresnet_bundles.metadata(("background", "liver", "liver", "spleen"))
            (folder / "configs" / "metadata.json").write_text(json.dumps(told))
        case "no names":
            (folder / "configs" / "metadata.json").write_text("{}")
    return folder


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("no metadata", r"has no configs/metadata\.json; give the folder of a MONAI bundle"),
        ("no network", r"has no models/model\.pt"),
        ("truncated", "truncated or damaged"),
        ("another network", "is not for the network the bundle describes"),
        ("too few names", "names 2 outputs of a network that has 4"),
        ("names twice", "calls two classes 'liver'"),
        ("no names", "lacks an entry that a bundle needs"),
    ],
)
def test_a_broken_bundle_is_told_in_a_sentence(fault: str, words: str, tmp_path: Path) -> None:
    folder = broken(write_bundle(tmp_path / "bundle"), fault)
    with pytest.raises(WeightsError, match=words) as caught:
        create("segresnet", "cpu", weights=folder)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


def test_one_resolution_alone_leaves_nothing_to_choose(tmp_path: Path) -> None:
    config = inference()
    config["displayable_configs"] = {"sw_overlap": 0.25, "sw_batch_size": 1}
    config |= {"pixdim": [1.5, 1.5, 1.5], "modelname": "model.pt"}
    folder = write_bundle(tmp_path / "bundle", config)
    assert create("segresnet", "cpu", weights=folder).classes == CLASSES
    with pytest.raises(ModelError, match="a single resolution"):
        create("segresnet", "cpu", weights=folder, highres="yes")


def test_it_stops_between_windows_and_says_nothing(
    bundle: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    volume = make_blob(Geometry.from_spacing((30, 40, 40), (1.5, 1.5, 1.5)))[0]
    told: list[float] = []

    def stop(fraction: float, phrase: str) -> None:
        told.append(fraction)
        if fraction > 0.3:
            raise Cancelled("stopped")

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = create("segresnet", "cpu", weights=bundle)
        with pytest.raises(Cancelled):
            model.encode(volume, None, stop)
    assert len(told) > 5 and told == sorted(told)
    assert capfd.readouterr() == ("", "")


def test_a_user_imports_a_bundle_and_segments_every_class(
    bundle: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    volume = make_blob(Geometry.from_spacing((14, 30, 33), (0.9, 0.8, 2.1)))[0]
    volume.write(tmp_path / "v.nii.gz")
    assert main(["weights", "import", "segresnet", str(bundle)]) == 0
    words = ["segment", str(tmp_path / "v.nii.gz"), "--model", "segresnet", "--device", "cpu"]
    assert main([*words, "--out", str(tmp_path / "s.nii.gz")]) == 0
    found = Volume.read(tmp_path / "s.nii.gz")
    assert np.array_equal(found.array_kji, run_by_monai(bundle, tmp_path / "v.nii.gz"))
    assert "kidney_left" in capsys.readouterr().out
