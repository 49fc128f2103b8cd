"""Python starts as in a fresh Slicer: packages that Slicer does not bring cannot be imported.

It takes effect in this process and in those that it starts, if its folder is first in PYTHONPATH.
The tests name the packages in MEDSEGFM_TEST_MISSING, separated by commas.
"""

import os
from importlib.machinery import PathFinder

_MISSING = frozenset(filter(None, os.environ.get("MEDSEGFM_TEST_MISSING", "").split(",")))
_find_spec = PathFinder.find_spec


def _find_spec_of_the_rest(name, path=None, target=None):
    if name.partition(".")[0] in _MISSING:
        return None
    return _find_spec(name, path, target)


PathFinder.find_spec = _find_spec_of_the_rest
