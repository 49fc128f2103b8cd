"""Cases whose labels are instances of one class, under a protocol that prompts with words.

The words ask for all instances at once, as in the challenge's CVPR25_text_eval.py: such a case has
one object, and F1 compares its instances with the components of the answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..datasets.cases import Case
from .phrasings import with_phrasings
from .protocol import Protocol


def are_instances(case: Case, protocol: Protocol) -> bool:
    """Whether a case is asked for all instances of a class at once."""
    return protocol.text_first and case.instances is not None


def prompted_cases(cases: Sequence[Case], protocol: Protocol) -> list[Case]:
    """The cases with the objects that the protocol asks for."""
    asked = [_as_one(case) if are_instances(case, protocol) else case for case in cases]
    return [with_phrasings(case) for case in asked] if protocol.phrasings else asked


def _as_one(case: Case) -> Case:
    assert case.instances is not None
    # Any label that occurs stands for all.
    return replace(case, objects=((case.objects[0][0], case.instances),))
