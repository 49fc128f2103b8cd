"""The known name that a user probably meant, for messages about an unknown one."""

from __future__ import annotations

from collections.abc import Iterable

# The share of characters in common from which two names look like one and its misspelling.
_ALIKE = 0.6


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

    names = {each.casefold(): each for each in known}
    wanted = name.casefold().strip()
    for each in list(names):
        names.update({part: names[each] for part in each.split() if part not in names})
    found = get_close_matches(wanted, names, n=1, cutoff=_ALIKE)
    return names[found[0]] if found else None
