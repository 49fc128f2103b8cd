"""Rules that choose the size of the region around a click without a box, compared by Dice.

Run from the checkout: PYTHONPATH=. python Testing/benchmarks/click_sizes.py VALIDATION.json

Each object is clicked once in its middle. ENSAM's network sees it once in regions of ten sizes,
without closer windows and without the random walk; a rule chooses one of its answers by the logits
alone. The best size is the one that only the reference knows. The table is that of Docs/results.md.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from unittest.mock import patch

import numpy as np

from MedSegFMLib import Point, create
from MedSegFMLib.datasets.cases import read_cases
from MedSegFMLib.datasets.loading import load_case
from MedSegFMLib.models.ensam import model as ensam
from MedSegFMLib.models.ensam.model import EnsamSegmenter
from MedSegFMLib.progress import no_progress
from MedSegFMLib.segmenter import Logits, certainty, probabilities
from MedSegFMLib.simulate import next_click
from MedSegFMLib.volumes.region import Region


class Look:
    """The network's logits in a region, and the Dice of its answer."""

    def __init__(self, region: Region, logits: Logits, reference: np.ndarray, mask: np.ndarray):
        self.region, self.logits = region, logits
        both = np.count_nonzero(mask & reference[region.slices])
        self.dice = 2 * both / max(1, np.count_nonzero(mask) + np.count_nonzero(reference))


def sure_above(look: Look, least: float) -> float:
    """The mean of |2p - 1| over the cells with a probability p of at least `least`."""
    p = probabilities(look.logits)
    return float(np.abs(2 * p - 1)[p > least].mean()) if (p > least).any() else 0.0


def stability(look: Look) -> float:
    """Dice's relative, IoU, of the masks at two thresholds, as SAM's score of stability."""
    return float((look.logits > 1).sum() / max(1, (look.logits > -1).sum()))


def expected_dice(look: Look) -> float:
    """The Dice of the mask if the probabilities were right."""
    p = probabilities(look.logits)
    return float(2 * p[p > 0.5].sum() / max(1e-6, p.sum() + (p > 0.5).sum()))


RULES: dict[str, Callable[[Look], float]] = {
    "mean probability of the mask": lambda look: certainty(look.logits),
    "mean of abs(2p - 1) above p = 0.1": lambda look: sure_above(look, 0.1),
    "stability (IoU at logits of 1 and -1)": stability,
    "expected Dice": expected_dice,
    "the best size": lambda look: look.dice,
}


def all_looks(network: EnsamSegmenter, path: Path) -> Iterator[tuple[str, list[Look]]]:
    """The case and the looks of each object."""
    for case in read_cases(path):
        loaded = load_case(case)
        for value, _ in case.objects:
            reference = loaded.label.array_kji == value
            middle = next_click(reference, np.zeros_like(reference), 0)
            assert middle is not None, "a case has no empty objects"
            click = Point.from_ijk(loaded.image.geometry, middle[0][::-1])
            looks: list[Look] = []

            def keep(
                regions: Sequence[Region], decoded: Callable[..., Logits], _: object
            ) -> Region:
                for region in regions:
                    logits = decoded(region, no_progress)
                    mask = network.grid.logits(logits, region.shape_kji) > 0
                    looks.append(Look(region, logits, reference, mask))  # noqa: B023
                return regions[0]

            with patch.object(ensam, "surest", keep):
                network.choose_region(loaded.image, [click], click, None, no_progress)
            yield case.name, looks


def report(title: str, chosen: Sequence[tuple[str, Look]]) -> None:
    """Print a row: the mean over cases and over objects."""
    cases = defaultdict(list)
    for name, look in chosen:
        cases[name].append(look.dice)
    mean = np.mean([np.mean(values) for values in cases.values()])
    print(f"| {title} | {mean:.3f} ({np.mean([look.dice for _, look in chosen]):.3f}) |")


def main() -> None:
    """Compare the rules."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", type=Path)
    network = create("ensam", "cpu", refine="no")
    assert isinstance(network, EnsamSegmenter)
    found = list(all_looks(network, parser.parse_args().cases))
    print(f"{len(found)} objects\n| size of the region | Dice |\n|---|---|")
    for step in (3, 4, 5):
        fixed = [(name, looks[min(step, len(looks) - 1)]) for name, looks in found]
        report(f"always {2 ** ((step + 5) / 2):.0f} voxels around the click", fixed)
    for title, score in RULES.items():
        report(title, [(name, max(looks, key=score)) for name, looks in found])


if __name__ == "__main__":
    main()
