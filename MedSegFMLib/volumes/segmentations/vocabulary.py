"""Names of objects as people write them: "left kidney", "kidney_left" and "Kidney (L)" are one.

Case, underscores, the order of words, plurals and "of the" do not matter, nor do the synonyms of
`vocabulary.json` and of the file that MEDSEGFM_VOCABULARY names (`vocabulary_table`). A short form
may have several meanings: "LV" is a ventricle of the heart or of the brain, and the names among
which one is looked for decide.

The user's file may have codes of phrases, {"my organ": ["99MINE^17^My organ"]}: the first is what a
segment of that name is, and the others mean the same. The usual codes are in `meanings`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from .codes import Code
from .vocabulary_table import WORD, Reading, vocabulary

# Ends of nouns and of their plurals: testis, hippocampus, scapula, atrium, artery, lung.
_PLURALS = (("is", "es"), ("us", "i"), ("a", "ae"), ("um", "a"), ("y", "ies"), ("", "s"))


@dataclass(frozen=True)
class Match:
    """The names that another one may mean.

    Attributes:
        found: the indices of those of the same meaning.
        candidates: the indices of those that only say on which side; empty if any was found.
    """

    found: tuple[int, ...]
    candidates: tuple[int, ...] = ()


def readings(name: str) -> frozenset[Reading]:
    """The meanings of a name: one, or several of a short form; none of a name without a word.

    Raises:
        PromptError: the user's own vocabulary cannot be used.
    """
    table = vocabulary()
    side, words = table.divided(name)
    if not words and not side:
        return frozenset()
    key = tuple(sorted(words or [side]))
    if key in table.short:
        return frozenset(
            Reading(reading.side or side, reading.words) for reading in table.short[key]
        )
    return frozenset({table.reading(side if words else "", key)})


def one_meaning(name: str) -> Reading:
    """The meaning by which names are compared: equal for two names of one thing.

    A name of several meanings, or of none, stands for itself, whatever its case.

    Raises:
        PromptError: the user's own vocabulary cannot be used.
    """
    found = readings(name)
    if len(found) == 1:
        (reading,) = found
        return reading
    return Reading("", (name.strip().casefold(),))


def phrase_of(name: str) -> str:
    """The canonical phrase of a name, "left kidney" for "Kidney_L"; an unknown name as it is.

    So is a name with several meanings, except that underscores become spaces.
    """
    found = readings(name)
    table = vocabulary()
    phrases = [
        with_side(reading.side, table.phrases[reading.words])
        for reading in found
        if reading.words in table.phrases
    ]
    return phrases[0] if len(found) == len(phrases) == 1 else name.replace("_", " ").strip()


def with_side(side: str, phrase: str) -> str:
    """A phrase with its side, as people say it: "left kidney", and "both kidneys".

    With "both" the noun is a plural if the vocabulary reads one as that noun.
    """
    if side == "both":
        noun, *rest = re.split(r"(?= of )", phrase, maxsplit=1)
        noun = re.sub(r"\w+$", lambda found: _plural(found.group()), noun)
        phrase = "".join((noun, *rest))
    return f"{side} {phrase}".strip()


def _plural(noun: str) -> str:
    """The plural of a noun; the word itself if it is one, or if the vocabulary knows none."""
    table = vocabulary()
    singular = noun.casefold()
    if table.usual(singular) != singular:
        return noun
    made = [noun.removesuffix(end) + new for end, new in _PLURALS if singular.endswith(end)]
    return next((word for word in made if table.usual(word.casefold()) == singular), noun)


def mirrored_name(name: str) -> str:
    """A name in the patient's mirror image: the right kidney for the left one, as it is written.

    A name without a side, or with both, is the same.
    """
    table = vocabulary()
    opposite = {"left": "right", "right": "left"}

    def exchanged(found: re.Match[str]) -> str:
        side = table.sides.get(found.group().casefold(), "")
        return opposite.get(side, found.group())

    mirrored = WORD.sub(exchanged, name)
    if mirrored != name:
        return mirrored
    # A side of one letter, or within a word.
    side, words = table.divided(name)
    return " ".join((opposite[side], *words)) if side in opposite else name


def variants(name: str) -> Iterator[tuple[str, str]]:
    """(side, phrase) of a name of one meaning, in each way to say it, the canonical one first.

    The phrases are singular; `with_side` joins them with the side.
    """
    found = readings(name)
    if len(found) == 1:
        (reading,) = found
        table = vocabulary()
        phrase = table.phrases.get(reading.words)
        for each in [phrase, *table.synonyms[phrase]] if phrase else [" ".join(reading.words)]:
            yield reading.side, each


def own_codes(name: str) -> tuple[tuple[Code, ...], str]:
    """The codes that the user's vocabulary gives a name, and the side that they do not include.

    No codes for a name of several meanings.
    """
    found = readings(name)
    if len(found) == 1:
        (reading,) = found
        codes = vocabulary().codes
        if reading in codes:
            return codes[reading], ""
        return codes.get(Reading("", reading.words), ()), reading.side
    return (), ""


def codes_beside(code: Code) -> tuple[Code, ...]:
    """The codes that the user's vocabulary gives to the same name after this one."""
    groups = vocabulary().codes.values()
    return next((codes[1:] for codes in groups if codes[:1] == (code,)), ())


def match(name: str, names: Sequence[str]) -> Match:
    """Which of several names another one means; the same spelling counts before the meaning."""
    plain = name.strip().casefold()
    same = tuple(n for n, other in enumerate(names) if other.strip().casefold() == plain)
    if same:
        return Match(same)
    meant, known = readings(name), [readings(other) for other in names]
    found = tuple(n for n, other in enumerate(known) if meant & other)
    if found:
        return Match(found)
    sideless = {reading.words for reading in meant if not reading.side}
    return Match(
        (), tuple(n for n, other in enumerate(known) if any(r.words in sideless for r in other))
    )


def other_side(name: str, names: Sequence[str] = ()) -> str:
    """The name of the same object on the patient's other side; the name itself if it has no side.

    Args:
        name: the name.
        names: the names to choose from; () for any.
    """
    opposite = {"left": "right", "right": "left"}
    found = readings(name)
    if len(found) != 1:
        return name
    (reading,) = found
    if reading.side not in opposite:
        return name
    wanted = Reading(opposite[reading.side], reading.words)
    if names:
        return next((other for other in names if wanted in readings(other)), name)
    phrase = vocabulary().phrases.get(reading.words, " ".join(reading.words))
    return f"{wanted.side} {phrase}"
