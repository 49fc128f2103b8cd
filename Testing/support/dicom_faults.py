"""Made-up series with several faults at once, and the judge of what is read of them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from dicom_files import (
    BIG,
    DEFLATED,
    ENCODERS,
    EXPLICIT,
    IMPLICIT,
    Slice,
    decimal,
    noise,
    write_enhanced,
    write_files,
)
from pydicom.uid import generate_uid

from MedSegFMLib import Volume

SYNTAXES = (EXPLICIT, EXPLICIT, IMPLICIT, BIG, DEFLATED, *ENCODERS)
_LPS = np.diag([-1.0, -1.0, 1.0])


@dataclass
class Made:
    """A series in files.

    Attributes:
        images: every image that was written, with its true place.
        main: the numbers of those that make up the volume, in any order.
        faults: the names of the faults.
        aside: whether images were removed from the ends of the volume, which must be said.
        tolerance_mm: how exact the positions in headers are.
    """

    rng: np.random.Generator
    images: list[Slice]
    main: list[int]
    faults: list[str] = field(default_factory=list)
    aside: bool = False
    tolerance_mm: float = 1e-4
    damaged: str = ""

    def pick(self) -> int:
        """The number of an image of the volume: the first, the last or one between."""
        return int(self.rng.choice([self.main[0], self.main[-1], self.main[len(self.main) // 2]]))

    def change(self, number: int, **changes: object) -> None:
        self.images[number] = self.images[number].changed(**changes)


def made_up(seed: int, folder: Path) -> tuple[Made, Path]:
    """Write a series with up to three faults; returns it and what to read."""
    rng = np.random.default_rng(seed)
    made = _whole_series(rng)
    names = list(FAULTS)
    for name in rng.choice(names, rng.integers(0, 4), replace=False):
        FAULTS[name](made)
        made.faults.append(str(name))
    if rng.random() < 0.5:
        order = rng.permutation(len(made.images))
        made.images = [made.images[n] for n in order]
        made.main = [int(np.flatnonzero(order == n)[0]) for n in made.main]
    return made, _write(made, folder)


def fault_of(made: Made, volume: Volume, said: str) -> str | None:
    """What is wrong with a volume that was read; None if it is right or its flaw is said."""
    places = []
    for k, values in enumerate(volume.array_kji):
        same = [
            n
            for n, one in enumerate(made.images)
            if one.values.shape == values.shape and np.array_equal(one.values, values)
        ]
        if not same:
            return f"slice {k} has values of no image"
        places.append(same[0])
    rows, columns = volume.array_kji.shape[1:]
    corners = np.array([(j, i) for j in (0, rows - 1) for i in (0, columns - 1)], float)
    for k, number in enumerate(places):
        one = made.images[number]
        if one.position is None or one.spacing is None:
            return f"slice {k} has a place that no header states"
        steps = np.array([one.column, one.row]) * np.array(one.spacing)[:, None]
        true = np.asarray(one.position) + corners @ steps
        found = volume.geometry.ras_from_ijk(np.column_stack([corners[:, ::-1], np.full(4, k)]))
        off = float(np.abs(found @ _LPS - true).max())
        if off > made.tolerance_mm and "off a regular grid" not in said:
            return f"slice {k} is {off:.2g} mm off"
    if len(places) < len(made.main) and "set aside" not in said and not made.aside:
        return f"{len(places)} of {len(made.main)} slices were read"
    return None


def _whole_series(rng: np.random.Generator) -> Made:
    count, rows, columns = (int(n) for n in rng.integers((3, 4, 4), (9, 9, 9)))
    array = noise((count, rows, columns), int(rng.integers(1 << 30)))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turn = np.eye(3) if rng.random() < 0.3 else np.round(turn, 9)
    step = np.cross(turn[0], turn[1]) * rng.choice([0.8, 2.5, 5.0])
    if rng.random() < 0.2:
        step = step + turn[1] * rng.choice([0.4, -1.2])
    if rng.random() < 0.3:
        step = -step
    spacing = tuple(float(v) for v in rng.choice([0.5, 0.9765625, 2.0], 2))
    origin = rng.uniform(-200, 200, 3)
    is_pet = rng.random() < 0.4
    images = [
        Slice(
            pixels,
            tuple(float(decimal(v, ".10g")) for v in origin + k * step),
            row=tuple(turn[0]),
            column=tuple(turn[1]),
            spacing=spacing,
            slope=float(decimal(rng.uniform(0.001, 4))) if is_pet else 1,
            intercept=0 if is_pet else -1024,
        )
        for k, pixels in enumerate(array)
    ]
    return Made(rng, images, list(range(count)))


def _moved(made: Made) -> None:
    one = made.images[number := made.pick()]
    if one.position is not None:
        step = made.rng.choice([0.003, 0.05, 0.3, 2.0]) * made.rng.normal(size=3)
        place = tuple(float(decimal(v, ".10g")) for v in np.add(one.position, step))
        made.change(number, position=place)


def _missing(made: Made) -> None:
    if len(made.main) > 2:
        number = made.pick()
        del made.images[number]
        last = len(made.main) - 1
        made.aside |= number in (made.main[0], made.main[-1])
        made.main = list(range(last))


def _no_position(made: Made) -> None:
    made.change(made.pick(), position=None)


def _no_positions(made: Made) -> None:
    for number in made.main:
        made.change(number, position=None)


def _no_spacing(made: Made) -> None:
    made.change(made.pick(), spacing=None)


def _other_spacing(made: Made) -> None:
    one = made.images[number := made.pick()]
    if one.spacing is not None:
        factor = made.rng.choice([1.0005, 1.01, 1.5])
        made.change(number, spacing=tuple(float(decimal(v * factor)) for v in one.spacing))


def _mirrored(made: Made) -> None:
    one = made.images[number := made.pick()]
    made.change(number, row=tuple(np.negative(one.row)))


def _turned(made: Made) -> None:
    one = made.images[number := made.pick()]
    made.change(number, row=one.column, column=one.row)


def _scout(made: Made) -> None:
    shape = made.images[0].pixels.shape
    if made.rng.random() < 0.5:
        shape = (shape[0] + 2, shape[1])
    first = made.images[0]
    turned = np.cross(first.row, first.column)
    made.images.append(
        Slice(noise((1, *shape), 5)[0], (1.0, 2.0, 3.0), row=first.row, column=tuple(turned))
    )


def _copy(made: Made) -> None:
    made.faults.append("copy")


def _again(made: Made) -> None:
    """Another image at the place of one."""
    one = made.images[made.pick()]
    made.images.append(one.changed(pixels=noise((1, *one.pixels.shape), 6)[0]))


def _times(made: Made) -> None:
    """A second time point, with or without a label."""
    label = made.rng.choice(["EchoTime", "TemporalPositionIdentifier", ""])
    later = []
    for n, number in enumerate(made.main):
        one = made.images[number]
        pixels = noise((1, *one.pixels.shape), 1000 + n)[0]
        later.append(one.changed(pixels=pixels, extra={label: "2"} if label else {}))
        if label:
            made.change(number, extra={label: "1"})
    made.images.extend(later)


def _rounded(made: Made) -> None:
    for number, one in enumerate(made.images):
        if one.position is not None:
            place = tuple(float(decimal(v, ".1f")) for v in one.position)
            made.images[number] = one.changed(position=place)
    made.tolerance_mm = max(made.tolerance_mm, 1e-4)


def _unstated_values(made: Made) -> None:
    made.change(made.pick(), slope=None, intercept=None)


def _gap_sign(made: Made) -> None:
    for number, one in enumerate(made.images):
        made.images[number] = one.changed(extra={**one.extra, "SpacingBetweenSlices": "-5"})


def _cut(made: Made) -> None:
    made.damaged = str(made.rng.choice(["cut", "zeros", "empty"]))


FAULTS: dict[str, Callable[[Made], None]] = {
    "moved": _moved,
    "missing": _missing,
    "no position": _no_position,
    "no positions": _no_positions,
    "no spacing": _no_spacing,
    "other spacing": _other_spacing,
    "mirrored": _mirrored,
    "turned": _turned,
    "scout": _scout,
    "copied": _copy,
    "again": _again,
    "times": _times,
    "rounded": _rounded,
    "unstated values": _unstated_values,
    "negative spacing between slices": _gap_sign,
    "damaged": _cut,
}


def _write(made: Made, folder: Path) -> Path:
    rng = made.rng
    syntax = str(rng.choice(SYNTAXES))
    modality = str(rng.choice(["CT", "MR", "PT"]))
    shapes = {one.pixels.shape for one in made.images}
    is_enhanced = len(shapes) == 1 and rng.random() < 0.3
    if is_enhanced:
        labels = [_groups(one) for one in made.images]
        paths = [write_enhanced(folder / "a.dcm", made.images, modality, syntax, labels)]
    else:
        ids = {"SeriesInstanceUID": generate_uid(), "StudyInstanceUID": generate_uid()}
        name = str(rng.choice(["{:03d}.dcm", "IM{:04d}"]))
        paths = write_files(folder, made.images, modality, syntax, name, **ids)
    if "copy" in made.faults:
        path = paths[int(rng.integers(len(paths)))]
        shutil.copy(path, path.with_name(f"copy of {path.name}"))
    if made.damaged:
        path = paths[int(rng.choice([0, len(paths) // 2, len(paths) - 1]))]
        data = path.read_bytes()
        cut = data[: int(rng.integers(1, len(data) - 40))]
        path.write_bytes({"cut": cut, "zeros": bytes(len(data)), "empty": b""}[made.damaged])
    return paths[0] if is_enhanced and rng.random() < 0.5 else folder


def _groups(one: Slice) -> dict[str, dict[str, object]]:
    if "EchoTime" in one.extra:
        return {"MREchoSequence": {"EffectiveEchoTime": float(one.extra["EchoTime"])}}
    if "TemporalPositionIdentifier" in one.extra:
        index = int(one.extra["TemporalPositionIdentifier"])
        return {"FrameContentSequence": {"TemporalPositionIndex": index}}
    return {}
