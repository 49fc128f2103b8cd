"""The table of names: `vocabulary.json`, and the file of that form that MEDSEGFM_VOCABULARY names.

It holds the canonical phrases with their synonyms, spellings, sides, short forms and codes.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from ...errors import PromptError
from ...system.json_files import load_json
from .codes import Code, read_code

WORD = re.compile(r"[^\W_]+")
"""A word of a name."""

_TABLE = Path(__file__).with_name("vocabulary.json")
_OWN = "MEDSEGFM_VOCABULARY"
_SECTIONS = ("sides", "words", "phrases", "short", "codes")
# Where a lower-case letter or a digit meets the beginning of another word: KidneyLeft.
_CAMEL = re.compile(r"(?<=[a-zäöüß])(?=[A-ZÄÖÜ])")
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


@dataclass
class Vocabulary:
    """The table.

    Attributes:
        sides: the side that a word says.
        spellings: the usual spelling of a word, and its singular.
        phrases: the canonical phrase of sorted words.
        synonyms: the other phrases of a canonical one.
        short: the meanings of a short form.
        codes: the user's codes of a meaning.
    """

    sides: dict[str, str] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)
    phrases: dict[Words, str] = field(default_factory=dict)
    synonyms: dict[str, list[str]] = field(default_factory=dict)
    short: dict[Words, frozenset[Reading]] = field(default_factory=dict)
    codes: dict[Reading, tuple[Code, ...]] = field(default_factory=dict)

    def divided(self, name: str) -> tuple[str, list[str]]:
        """The side and the other words of a name, each in its usual spelling."""
        spaced = _CAMEL.sub(" ", unicodedata.normalize("NFKC", name))
        words = [word for word in WORD.findall(spaced.casefold()) if word not in _FILLERS]
        sides = [n for n, word in enumerate(words) if word in self.sides]
        if not sides:
            ends = (0, len(words) - 1) if len(words) > 1 else ()
            sides = [n for n in ends if words[n] in _LETTERS and not _beside_number(words, n)]
        if len(sides) != 1:
            return "", [self.usual(word) for word in words]
        word = words.pop(sides[0])
        return self.sides.get(word) or _LETTERS[word], [self.usual(each) for each in words]

    def usual(self, word: str) -> str:
        """The usual spelling of a word in lower case, in the singular."""
        spelled = self.spellings.get(word)
        if spelled is not None:
            return spelled
        is_plural = len(word) > 3 and word.endswith("s") and not word.endswith(_SINGULAR)
        singular = word[:-1] if is_plural else word
        return self.spellings.get(singular, singular)

    def reading(self, side: str, key: Words) -> Reading:
        """The meaning of sorted words in their usual spelling."""
        phrase = self.phrases.get(key)
        return Reading(side, self._sorted_words(phrase) if phrase is not None else key)

    def add(self, document: dict[str, Any]) -> None:
        """Add a file's content.

        Raises:
            TypeError, ValueError, AttributeError, KeyError: it is not of the form.
        """
        sides, words, phrases, short, codes = ({**document.get(name, {})} for name in _SECTIONS)
        for side, spellings in sides.items():
            self.sides |= {_text(word): side for word in _texts(spellings)}
        self.spellings |= {_text(word): _text(usual) for word, usual in words.items()}
        for phrase, synonyms in phrases.items():
            listed = self.synonyms.setdefault(phrase, [])
            listed += [synonym for synonym in _texts(synonyms) if synonym not in listed]
            for each in (phrase, *listed):
                self.phrases[self._sorted_words(each)] = phrase
        for form, meanings in short.items():
            key = tuple(sorted(self.divided(form)[1]))
            self.short[key] = frozenset(self._meant(meaning) for meaning in _texts(meanings))
        for phrase, texts in codes.items():
            self.codes[self._meant(phrase)] = tuple(read_code(text) for text in _texts(texts))

    def _sorted_words(self, phrase: str) -> Words:
        """The words of a phrase of the table, sides included, in any order."""
        side, words = self.divided(phrase)
        return tuple(sorted([*words, *([side] if side else [])]))

    def _meant(self, phrase: str) -> Reading:
        side, words = self.divided(phrase)
        return self.reading(side, tuple(sorted(words)))


def vocabulary() -> Vocabulary:
    """The table with the user's own file.

    Raises:
        PromptError: the user's own file cannot be used.
    """
    return _read(os.environ.get(_OWN, ""))


@cache
def _read(own: str) -> Vocabulary:
    table = Vocabulary()
    table.add(load_json(_TABLE, dict))
    if own:
        try:
            table.add(load_json(Path(own).expanduser(), dict))
        except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
            raise PromptError(
                f"The vocabulary {own} cannot be read ({error}); give it the form of "
                f"{_TABLE.name}, or unset {_OWN}."
            ) from error
    return table


def _beside_number(words: Sequence[str], n: int) -> bool:
    """Whether a letter belongs to a number after it, as in "L 4"."""
    return n + 1 < len(words) and words[n + 1].isdigit()


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list):
        raise TypeError(f"{str(values)[:60]!a} is not a list of names")
    return [_text(value) for value in values]


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(f"{str(value)[:60]!a} is not a name")
    return value
