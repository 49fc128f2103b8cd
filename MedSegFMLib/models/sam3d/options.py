"""The options of `create` that describe a decoder: its classes, its patches and its images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ...errors import ModelError
from ..common.options import parse_whole
from . import weights as sam3d_weights
from .weights import Sam3dFacts


def channels_of(
    path: Path, count: int, own: Sequence[str], images: Sequence[str] | str | None
) -> tuple[str, ...] | int:
    """The images that a decoder takes of a volume, by their names if there are any.

    Args:
        path: The decoder's file.
        count: The number of images.
        own: The names that its file specifies; empty if it specifies none.
        images: The names that the user gave.

    Raises:
        ModelError: If both are given, or they are not as many names as images.
    """
    if own and images:
        raise ModelError(f"{path} specifies its own images; leave out images=.")
    images = own or images
    if not images:
        return count
    given = images.split(",") if isinstance(images, str) else images
    names = tuple(name.strip() for name in given)
    if len(names) != count or not all(names):
        raise ModelError(
            f"{path} takes {count} images of each volume, but {len(names)} are named "
            f"({', '.join(names)}); name each in the order of its training."
        )
    return names


def facts_of(
    path: Path,
    count: int,
    classes: Sequence[str] | None,
    patch: int | str | None,
    depth: int | str | None,
) -> Sam3dFacts:
    """The description of a decoder of `count` classes, from its file or from the options.

    Raises:
        ModelError: If both specify a value, neither does, or the number of classes is another.
    """
    facts = sam3d_weights.read_facts(path)
    given = {"classes": classes, "patch": patch, "depth": depth}
    if facts is not None:
        excess = next((name for name, value in given.items() if value is not None), None)
        if excess is not None:
            raise ModelError(f"{path} specifies its own {excess}; leave out {excess}=.")
    else:
        lacking = [name for name, value in given.items() if value is None]
        if lacking or classes is None:
            raise ModelError(
                f"{path} does not specify for which {', '.join(lacking)} it was trained; give, for "
                "instance, classes=liver,spleen patch=160 depth=16, as in its training."
            )
        sides = [parse_whole(name, str(given[name])) for name in ("patch", "depth")]
        facts = Sam3dFacts(tuple(name.strip() for name in classes), sides[0], sides[1])
    if len(facts.classes) != count:
        raise ModelError(
            f"{path} has {count} classes besides background, but {len(facts.classes)} are "
            f"named ({', '.join(facts.classes)}); name each."
        )
    return facts


def parse_numbers(overlap: float | str, cache_bytes: int | str) -> tuple[float, int]:
    """Both options as numbers.

    Raises:
        ModelError: If either is not a valid number.
    """
    try:
        part = float(overlap)
    except ValueError:
        part = -1.0
    if not 0 <= part <= 0.9:
        raise ModelError(f"The overlap is {overlap}; give a number from 0 to 0.9, such as 0.5.")
    return part, parse_whole("cache_bytes", cache_bytes)
