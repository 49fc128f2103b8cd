"""What got through: the outcome of a check as a sentence."""

from __future__ import annotations

import unittest
from collections.abc import Callable


def escape_of(check: Callable[[], object]) -> str | None:
    """How a check failed, whatever it raised; None if it did not."""
    result = unittest.TestResult()
    unittest.FunctionTestCase(lambda: check() and None).run(result)
    problems = result.errors + result.failures
    return problems[0][1].strip() if problems else None
