"""Names, units and numbers of the measures that tables show."""

from __future__ import annotations

import math

from MedSegFMLib.metrics.measures import DICE, HD95, PEAK_MEMORY, SURFACE_DICE, number


def test_a_measure_has_its_unit_in_the_heading_and_keeps_it_under_another_name() -> None:
    assert (DICE.heading, HD95.heading) == ("Dice", "HD95 (mm)")
    assert PEAK_MEMORY.named("largest peak").heading == "largest peak (MB)"
    assert SURFACE_DICE.title == "Surface Dice"
    assert DICE.named("Dice AUC", digits=2).text(3.14159) == "3.14"


def test_stored_values_are_shown_in_the_unit() -> None:
    assert PEAK_MEMORY.text(312_400_000) == "312" and PEAK_MEMORY.rounded(312_400_000) == 312
    assert HD95.text(1.25001) == "1.3" and DICE.rounded(None) is None


def test_unknown_and_infinite_numbers_have_signs_of_their_own() -> None:
    assert (number(math.nan, 3), number(math.inf, 3), HD95.text(math.inf)) == ("–", "∞", "∞")
