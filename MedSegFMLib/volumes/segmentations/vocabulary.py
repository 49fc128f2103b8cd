"""Names of objects as people write them: "left kidney", "kidney_left" and "Kidney (L)" are one.

`vocabulary.json` holds the canonical phrases with their synonyms, spellings, sides and short forms;
a file of the same form that MEDSEGFM_VOCABULARY names is added to it. Case, underscores, the order
of words, plurals and "of the" do not matter. A short form may have several meanings: "LV" is a
ventricle of the heart or of the brain, and the names among which one is looked for decide.

The user's file may have codes of phrases, {"my organ": ["99MINE^17^My organ"]}: the first is what a
segment of that name is, and the others mean the same. The usual codes are in `meanings`.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import PromptError
from ...system.json_files import load_json
from .codes import Code, read_code

_TABLE = Path(__file__).with_name("vocabulary.json")
_OWN = "MEDSEGFM_VOCABULARY"
_SECTIONS = ("sides", "words", "phrases", "short", "codes")
# Where a lower-case letter or a digit meets the beginning of another word: KidneyLeft.
_CAMEL = re.compile(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])")
_WORD = re.compile(r"[^\W_]+")
_FILLERS = {"a", "an", "of", "the"}
_LETTERS = {"l": "left", "r": "right"}
# Endings of words that are no plurals: mass, uterus, pelvis, pancreas.
_SINGULAR = ("ss", "us", "is", "as")

Words = tuple[str, ...]


@dataclass(frozen=True, order=True)
class Reading:
    """A meaning of a name.

    Attributes:
        side: "left", "right", "both", or "" for none.
        words: the words of the canonical phrase, sorted.
    """

    side: str
    words: Words


@dataclass(frozen=True)
class Match:
    """The names that another one may mean.

    Attributes:
        found: the indices of those of the same meaning.
        candidates: the indices of those that only say on which side; empty if any was found.
    """

    found: tuple[int, ...]
    candidates: tuple[int, ...] = ()


@dataclass
class _Vocabulary:
    sides: dict[str, str] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)
    phrases: dict[Words, str] = field(default_factory=dict)
    synonyms: dict[str, list[str]] = field(default_factory=dict)
    short: dict[Words, frozenset[Reading]] = field(default_factory=dict)
    codes: dict[Reading, tuple[Code, ...]] = field(default_factory=dict)


def readings(name: str) -> frozenset[Reading]:
    """The meanings of a name: one, or several of a short form; none of a name without a word.

    Raises:
        PromptError: the user's own vocabulary cannot be used.
    """
    table = _vocabulary()
    side, words = _divided(name, table)
    if not words and not side:
        return frozenset()
    key = tuple(sorted(words or [side]))
    if key in table.short:
        return frozenset(
            Reading(reading.side or side, reading.words) for reading in table.short[key]
        )
    return frozenset({_reading(side if words else "", key, table)})


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
    table = _vocabulary()
    phrases = [
        " ".join(filter(None, (reading.side, table.phrases[reading.words])))
        for reading in found
        if reading.words in table.phrases
    ]
    return phrases[0] if len(found) == len(phrases) == 1 else name.replace("_", " ").strip()


def mirrored_name(name: str) -> str:
    """A name in the patient's mirror image: the right kidney for the left one, as it is written.

    A name without a side, or with both, is the same.
    """
    table = _vocabulary()
    opposite = {"left": "right", "right": "left"}

    def exchanged(found: re.Match[str]) -> str:
        side = table.sides.get(found.group().casefold(), "")
        return opposite.get(side, found.group())

    mirrored = _WORD.sub(exchanged, name)
    if mirrored != name:
        return mirrored
    # A side of one letter, or within a word.
    side, words = _divided(name, table)
    return " ".join((opposite[side], *words)) if side in opposite else name


def variants(name: str) -> Iterator[tuple[str, str]]:
    """(side, phrase) of a name of one meaning, in each way to say it, the canonical one first."""
    found = readings(name)
    if len(found) == 1:
        (reading,) = found
        table = _vocabulary()
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
        codes = _vocabulary().codes
        if reading in codes:
            return codes[reading], ""
        return codes.get(Reading("", reading.words), ()), reading.side
    return (), ""


def codes_beside(code: Code) -> tuple[Code, ...]:
    """The codes that the user's vocabulary gives to the same name after this one."""
    groups = _vocabulary().codes.values()
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
    phrase = _vocabulary().phrases.get(reading.words, " ".join(reading.words))
    return f"{wanted.side} {phrase}"


def _reading(side: str, key: Words, table: _Vocabulary) -> Reading:
    phrase = table.phrases.get(key)
    return Reading(side, _sorted_words(phrase, table) if phrase is not None else key)


def _divided(name: str, table: _Vocabulary) -> tuple[str, list[str]]:
    """The side and the other words of a name, each in its usual spelling."""
    spaced = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name))
    words = [word for word in _WORD.findall(spaced.casefold()) if word not in _FILLERS]
    sides = [n for n, word in enumerate(words) if word in table.sides]
    if not sides:
        ends = (0, len(words) - 1) if len(words) > 1 else ()
        sides = [n for n in ends if words[n] in _LETTERS and not _beside_number(words, n)]
    if len(sides) != 1:
        return "", [_usual(word, table) for word in words]
    word = words.pop(sides[0])
    return table.sides.get(word) or _LETTERS[word], [_usual(each, table) for each in words]


def _beside_number(words: Sequence[str], n: int) -> bool:
    """Whether a letter belongs to a number after it, as in "L 4"."""
    return n + 1 < len(words) and words[n + 1].isdigit()


def _usual(word: str, table: _Vocabulary) -> str:
    spelled = table.spellings.get(word)
    if spelled is not None:
        return spelled
    is_plural = len(word) > 3 and word.endswith("s") and not word.endswith(_SINGULAR)
    singular = word[:-1] if is_plural else word
    return table.spellings.get(singular, singular)


def _sorted_words(phrase: str, table: _Vocabulary) -> Words:
    """The words of a phrase of the table, sides included, in any order."""
    side, words = _divided(phrase, table)
    return tuple(sorted([*words, *([side] if side else [])]))


def _vocabulary() -> _Vocabulary:
    return _read(os.environ.get(_OWN, ""))


@cache
def _read(own: str) -> _Vocabulary:
    table = _Vocabulary()
    _add(load_json(_TABLE, dict), table)
    if own:
        try:
            _add(load_json(Path(own).expanduser(), dict), table)
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise PromptError(
                f"The vocabulary {own} cannot be read ({error}); give it the form of "
                f"{_TABLE.name}, or unset {_OWN}."
            ) from error
    return table


def _add(document: dict[str, Any], table: _Vocabulary) -> None:
    sides, words, phrases, short, codes = ({**document.get(name, {})} for name in _SECTIONS)
    for side, spellings in sides.items():
        table.sides |= {_text(word): side for word in _texts(spellings)}
    table.spellings |= {_text(word): _text(usual) for word, usual in words.items()}
    for phrase, synonyms in phrases.items():
        listed = table.synonyms.setdefault(phrase, [])
        listed += [synonym for synonym in _texts(synonyms) if synonym not in listed]
        for each in (phrase, *listed):
            table.phrases[_sorted_words(each, table)] = phrase
    for form, meanings in short.items():
        key = tuple(sorted(_divided(form, table)[1]))
        table.short[key] = frozenset(_meant(meaning, table) for meaning in _texts(meanings))
    for phrase, texts in codes.items():
        table.codes[_meant(phrase, table)] = tuple(read_code(text) for text in _texts(texts))


def _meant(phrase: str, table: _Vocabulary) -> Reading:
    side, words = _divided(phrase, table)
    return _reading(side, tuple(sorted(words)), table)


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list):
        raise TypeError(f"{str(values)[:60]!a} is not a list of names")
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{str(value)[:60]!a} is not a name")
    return value
