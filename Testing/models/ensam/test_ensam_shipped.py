"""The weights that come with the package: unaltered, and as good as they are said to be."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage
from waiting import GENEROUS_SECONDS

from MedSegFMLib import Box, Geometry, Point, Session, Volume, create
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.metrics import dice
from MedSegFMLib.simulate import box_around, next_click
from MedSegFMLib.synthesis.phantom import make_abdomen
from MedSegFMLib.weights import store
from MedSegFMLib.weights.catalogue import entry

ROOT = Path(__file__).resolve().parents[3]
CLICKS = 3


@pytest.fixture(autouse=True)
def nothing_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("MEDSEGFM_WEIGHTS", str(tmp_path / "store"))
    yield


def scores(volume: Volume, truth: np.ndarray) -> list[float]:
    """The Dice after a tight box and after each of a few simulated clicks, with the weights."""
    session = Session(create("ensam", device="cpu"), volume)
    start, stop = box_around(truth, 0.0, 0)
    session.add(Box.from_ijk(volume.geometry, start[::-1], stop[::-1]))
    masks = [session.predict().mask.array_kji]
    for step in range(CLICKS):
        click = next_click(truth, masks[-1], step)
        if click is None:
            break
        session.add(Point.from_ijk(volume.geometry, click[0][::-1], click[1]))
        masks.append(session.predict().mask.array_kji)
    return [dice(truth, mask) for mask in masks]


def test_the_file_is_the_one_in_the_catalogue() -> None:
    path, listed = store.find("ensam"), entry("ensam")
    assert path.parent == ROOT / "MedSegFMLib" / "weights"
    assert listed.sha256 is not None
    store.verify(path, listed.sha256)
    assert path.stat().st_size == listed.bytes
    assert sum(f.stat().st_size for f in path.parent.glob("*.safetensors")) < 24e6


@pytest.mark.parametrize(
    ("organ", "after_box", "after_clicks"), [("liver", 0.90, 0.92), ("spleen", 0.94, 0.94)]
)
def test_an_organ_of_the_phantom_is_found(
    organ: str, after_box: float, after_clicks: float
) -> None:
    phantom = make_abdomen()
    found = scores(phantom.image, phantom.labels.array_kji == phantom.label(organ))
    assert found[0] >= after_box and found[-1] >= after_clicks, found


@pytest.mark.parametrize(
    ("name", "after_box", "after_clicks"),
    [("multi_sts002_dicom_MR_T1", 0.91, 0.92), ("ct_spleen_msd2", 0.88, 0.91)],
)
def test_a_real_object_is_found(
    real_data: Path, name: str, after_box: float, after_clicks: float
) -> None:
    (case,) = [case for case in read_cases(real_data / "cases.json") if case.name == name]
    loaded = load_case(case)
    found = scores(loaded.image, loaded.label.array_kji == case.objects[0][0])
    assert found[0] >= after_box and found[-1] >= after_clicks, found


def noisy(mask: np.ndarray) -> Volume:
    """An image of a bright object."""
    values = ndimage.gaussian_filter(np.where(mask, 200.0, 40.0), 0.6)
    values += np.random.default_rng(0).normal(0, 12, mask.shape)
    return Volume(values.astype(np.int16), Geometry.from_spacing(mask.shape))


def balls(*centres: tuple[int, int, int], radius: float) -> np.ndarray:
    grid = np.indices((48, 64, 96)).transpose(1, 2, 3, 0)
    parts = [((grid - centre) ** 2).sum(axis=-1) <= radius**2 for centre in centres]
    return np.asarray(np.any(parts, axis=0))


@pytest.mark.parametrize("radius", [2, 3, 5, 9])
def test_one_click_on_a_clear_ball_finds_it_whatever_its_size(radius: float) -> None:
    mask = balls((24, 32, 40), radius=radius)
    volume = noisy(mask)
    session = Session(create("ensam", device="cpu"), volume)
    session.add(Point.from_ijk(volume.geometry, (40, 32, 24)))
    assert dice(mask, session.predict().mask.array_kji) > 0.85


def test_a_click_on_each_of_two_lesions_finds_both() -> None:
    mask = balls((24, 32, 24), (20, 36, 70), radius=6)
    volume = noisy(mask)
    session = Session(create("ensam", device="cpu"), volume)
    for ijk in ((24, 32, 24), (70, 36, 20)):
        session.add(Point.from_ijk(volume.geometry, ijk))
    assert dice(mask, session.predict().mask.array_kji) > 0.9


def test_a_thin_vessel_is_found_in_its_box_and_stays_found() -> None:
    t = np.linspace(0, 1, 600)
    line = np.stack([6 + 36 * t, 32 + 24 * np.sin(5 * t), 10 + 76 * t], axis=1)
    mask = np.zeros((48, 64, 96), bool)
    mask[tuple(line.round().astype(int).T)] = True
    mask = ndimage.binary_dilation(mask, ndimage.generate_binary_structure(3, 1), iterations=2)
    found = scores(noisy(mask), mask)
    assert min(found) > 0.75, found


def test_segmenting_needs_no_torch() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from MedSegFMLib import Box, Session, create\n"
        "from MedSegFMLib.synthesis.phantom import make_abdomen\n"
        "image = make_abdomen().image\n"
        "session = Session(create('ensam'), image)\n"
        "session.add(Box.from_ijk(image.geometry, (20, 20, 10), (40, 40, 24)))\n"
        "print(int(session.predict().mask.array_kji.sum()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=GENEROUS_SECONDS,
    )
    assert done.returncode == 0 and int(done.stdout) > 0, done.stderr
