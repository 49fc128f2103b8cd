"""A model with its weights and options as one text, which results, comparisons and scenes contain.

    NAME                                the installed weights, default options
    NAME=WEIGHTS                        a file or folder of weights
    NAME?size=1024&planes=axial         options of the model's `create`
    NAME=WEIGHTS?size=1024              both

The text is the identity of the model: the same options in another order are the same text. In
values, %26 stands for &, %3F for ? and %25 for %, as in addresses. Results and scenes, which others
may read, have * for the value of a private option, such as a server, and no secret one, such as its
key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import quote, unquote

from .errors import ModelError, WeightsError
from .registry import ALIASES, MODELS, card, check_options, create, resolve_name
from .segmenter import OWN, ModelCard, Segmenter

# The options are what follows the last question mark, so that a path may contain one too.
_WITH_OPTIONS = re.compile(r"(?P<model>[^?]*(?:\?.*?)?)\?(?P<options>[^?=&]+=[^?]*)", re.DOTALL)
_PLAIN = " ,:/\\+.-_~()[]*"
_EXAMPLE = "sam?size=1024&planes=axial"


@dataclass(frozen=True)
class ModelChoice:
    """A model, its weights and its options.

    Attributes:
        text: the identity of the model, which its rows contain; without what is private.
        name: the name of the model in the registry.
        weights: the weights; None for the installed ones.
        options: further options of its `create`, as text.
    """

    text: str
    name: str
    weights: Path | None = None
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def card(self) -> ModelCard:
        """The card of the model with these options."""
        return card(self.name, self.options)

    @property
    def title(self) -> str:
        """The title of the model for the user, with what is not its default."""
        given = [] if self.weights is None else [self.weights.name]
        public = self.card.public_options(self.options)
        given += [f"{name}={value}" for name, value in public.items()]
        return f"{self.card.title} ({', '.join(given)})" if given else self.card.title

    @property
    def all_options(self) -> dict[str, str]:
        """The options with the weights among them, as `registry.create` takes them.

        Raises:
            ModelError: the value of a private option is not known here.
        """
        unknown = [n for n, v in self.card.private_options(self.options).items() if v == OWN]
        if unknown:
            raise ModelError(
                f"The {unknown[0]} of '{self.text}' is its user's own and not known here; give "
                f"{self.name}?{unknown[0]}=VALUE, or set it among the options of the panel."
            )
        weights = {} if self.weights is None else {"weights": str(self.weights)}
        return weights | dict(self.options)

    def with_own(self, values: Mapping[str, str]) -> ModelChoice:
        """The choice with the user's own values of those of its options that are private.

        Args:
            values: the user's private options of the model; secret ones are added to others.
        """
        private = self.card.private_options(self.options)
        own = {name: values[name] for name in private if values.get(name)}
        secret = {
            option.name: values[option.name]
            for option in self.card.options
            if private and option.is_secret and values.get(option.name)
        }
        return replace(self, options={**self.options, **secret, **own})

    def public(self, sentence: str) -> str:
        """A sentence of the model without the values of its private options."""
        for value in self.card.private_options(self.options).values():
            sentence = sentence.replace(value, OWN)
        return sentence

    def create(self, device: str) -> Segmenter:
        """Load the model.

        Raises:
            MedSegFMError: as `registry.create`.
        """
        return create(self.name, device, **self.all_options)


def read_choice(text: str) -> ModelChoice:
    """Parse a text; a relative path of weights starts at the current folder.

    Raises:
        ModelError: there is no such model or option, or the model takes no weights.
        WeightsError: there is no such file or folder.
    """
    match = _WITH_OPTIONS.fullmatch(text)
    model, options = (match["model"], _options(match["options"], text)) if match else (text, {})
    typed, equals, path = model.partition("=")
    name = resolve_name(typed)
    if not match and "?" in typed:
        raise ModelError(f"The options of '{text}' are not name=value; write it like {_EXAMPLE}.")
    card(name)
    check_options(name, options)
    weights = _weights(name, path, text) if equals else None
    return ModelChoice(_text(typed, path, options), name, weights, options)


def split_choices(text: str) -> list[str]:
    """The texts of several models, separated by commas; each once, in the same order.

    A value of an option may contain commas too: what follows a comma belongs to it unless it begins
    with the name of a model.
    """
    texts: list[str] = []
    for part in text.split(","):
        if texts and "?" in texts[-1] and not _begins_model(part.strip()):
            texts[-1] += f",{part}"
        else:
            texts.append(part.strip())
    return list(dict.fromkeys(texts))


def choice_text(name: str, options: Mapping[str, object]) -> str:
    """The text of a model with these options, of which `weights` may be one."""
    texts = {option: str(value) for option, value in options.items() if value is not None}
    return _text(name, texts.pop("weights", ""), texts)


def _text(model: str, path: str, options: Mapping[str, str]) -> str:
    public = card(model).public_options(options)
    pairs = [f"{name}={quote(public[name], safe=_PLAIN)}" for name in sorted(public)]
    weights = f"={path}" if path else ""
    return f"{model}{weights}?{'&'.join(pairs)}" if pairs else f"{model}{weights}"


def _options(text: str, whole: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for pair in text.split("&"):
        name, _, value = pair.partition("=")
        name, value = name.strip(), unquote(value).strip()
        if not name or not value:
            raise ModelError(f"'{pair}' in '{whole}' is not name=value; write it like {_EXAMPLE}.")
        if name in options:
            raise ModelError(f"'{whole}' has the option {name} twice; give it once.")
        if name in ("device", "weights"):
            way = "with --device" if name == "device" else "as NAME=WEIGHTS before the '?'"
            raise ModelError(f"'{whole}' has {name} among its options; give it {way}.")
        options[name] = value
    return dict(sorted(options.items()))


def _weights(name: str, path: str, text: str) -> Path:
    if card(name).weights is None:
        raise ModelError(f"The model {name} takes no weights; name it without '={path}'.")
    weights = Path(path).expanduser().absolute()
    if not path or not weights.exists():
        raise WeightsError(
            f"The weights of '{text}' do not exist; give {name}=PATH with an existing file or "
            f"folder, or only {name} for the installed weights."
        )
    return weights


def _begins_model(text: str) -> bool:
    return re.split(r"[=?]", text, maxsplit=1)[0] in {*MODELS, *ALIASES}
