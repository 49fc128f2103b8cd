"""Python starts as in a fresh Slicer: packages that Slicer does not bring cannot be imported.

It takes effect in this process and in those that it starts, if its folder is first in PYTHONPATH.
The tests name the packages in MEDSEGFM_TEST_MISSING, separated by commas.
"""

import os
from importlib.machinery import PathFinder

_find_spec = PathFinder.find_spec


def _find_spec_of_the_rest(name, path=None, target=None):
    # Read anew each time: what is installed meanwhile is no longer missing.
    if path is None and name in os.environ.get("MEDSEGFM_TEST_MISSING", "").split(","):
        return None
    return _find_spec(name, path, target)


PathFinder.find_spec = _find_spec_of_the_rest
