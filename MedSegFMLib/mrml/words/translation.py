"""`tr`: Slicer's translation of a text, or the text itself where Slicer's desktop is absent."""

from __future__ import annotations

from collections.abc import Callable

tr: Callable[[str], str]
try:
    # The function itself: it finds the file that calls it, which is the context of the translation.
    from slicer.i18n import tr as _of_slicer

    tr = _of_slicer
except ImportError:

    def _untranslated(text: str) -> str:
        return text

    tr = _untranslated
