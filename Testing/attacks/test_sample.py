"""A sample of each class of attacks; `make attacks` tries many more."""

from __future__ import annotations

import pytest

from Testing.attacks.run import CLASSES, attack

# What takes long for one input gets few.
_INPUTS = {
    "downloads": 6,
    "foreign_configs": 6,
    "interrupts": 2,
    "scene_machine": 3,
    "session_machine": 5,
    "weights_files": 24,
}
_MANY = 40


@pytest.mark.parametrize("name", CLASSES)
def test_no_input_of_a_sample_escapes(name: str) -> None:
    if name == "scene_machine":
        pytest.importorskip("slicer", reason="slicer-core is not installed")
    count = attack(name, seed=1, most=_INPUTS.get(name, _MANY))
    assert count.escapes == () and count.tried > 0
