"""The known name that a user probably meant, for messages about an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

# The share of characters in common from which two names look like one and its misspelling, and
# from which a name looks like a word of another one.
_ALIKE, _WORD_ALIKE = 0.6, 0.8


def with_suggestion(name: str, known: Iterable[str]) -> str:
    """An unknown name in quotes, and the known one that is most like it.

    Upper and lower case are the same, and a word of a known name of several is that name.

    Args:
        name: what the user wrote.
        known: the names that there are.

    Returns:
        For instance "'ensm' (did you mean ensam?)"; only "'xyz'" if no name is like it.
    """
    nearest = nearest_name(name, known)
    return f"'{name}'" if nearest is None else f"'{name}' (did you mean {nearest}?)"


def nearest_name(name: str, known: Iterable[str]) -> str | None:
    """The known name that is most like another one; None if none is."""
    from difflib import get_close_matches

    wanted = name.casefold().strip()
    names = {each.casefold(): each for each in known}
    words = {word: each for text, each in names.items() for word in text.split()}
    for choices, alike in ((names, _ALIKE), (words, _WORD_ALIKE)):
        found = get_close_matches(wanted, choices, n=1, cutoff=alike)
        if found:
            return choices[found[0]]
    return None
