"""Weights imported with what they do not say of themselves: a command and the panel use it.

Which options belong to weights is data of the models: `ModelOption.at_import`. A model's module may
refine it with functions of these names:

- `said_by(path)`: the names of those options that these weights say themselves.
- `completed(path, options)`: the options, checked, with what lies beside the weights.
- `keep_beside(path, options)`: copies what belongs beside the imported weights `path`, and returns
  the options that are left to record.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ..errors import ModelError, WeightsError
from ..progress import Progress
from ..registry import check_options, module_of, path_options
from ..segmenter import ModelOption
from ..weights import installing
from ..weights.catalogue import entry
from ..weights.recorded_options import record_options
from ..weights.trial import Trial


def asked_for(name: str, path: Path) -> tuple[ModelOption, ...]:
    """The options to ask for when weights are imported: what they do not say of themselves.

    Args:
        name: the name of the weights.
        path: their file or folder. If it is no such weights, there is nothing to ask: the import
            says what is wrong.
    """
    module = module_of(name)
    options = tuple(option for option in module.CARD.options if option.at_import)
    try:
        said = module.said_by(path) if options and hasattr(module, "said_by") else ()
    except WeightsError:
        return ()
    return tuple(option for option in options if option.name not in said)


def completed(name: str, path: Path, options: Mapping[str, str]) -> dict[str, str]:
    """The options for an import, with whole paths, and with what lies beside the weights.

    Args:
        name: the name of the weights.
        path: their file or folder.
        options: options of the `create` of the model that uses them.

    Raises:
        ModelError: the model has no such option.
        WeightsError: there is no such weights, or what an option names is missing.
    """
    entry(name)
    module = module_of(name)
    if "weights" in options:
        raise ModelError(f"The weights of {name} are those to import; leave out weights=.")
    check_options(name, options)
    whole = dict(options)
    # They hold in whatever folder a command is called later.
    for option in path_options(name) & options.keys():
        if Path(options[option]).exists():
            whole[option] = str(Path(options[option]).resolve())
    return module.completed(path, whole) if hasattr(module, "completed") else whole


def import_weights(
    name: str,
    path: Path | str,
    options: Mapping[str, str],
    trial: Trial,
    progress: Progress,
    sha256: str | None = None,
) -> Path:
    """Import weights, and record the options that hold whenever they are used.

    Args:
        name: the name of the weights.
        path: their file or folder.
        options: those of `completed`, with which `trial` tries them.
        trial: see `installing.import_file`.
        progress: called with the completed fraction and a phrase.
        sha256: the SHA-256 that their publisher states.

    Returns:
        The path of the installed weights.

    Raises:
        WeightsError: they are refused; see `installing.import_file`.
        OutputError: they, or what belongs beside them, cannot be copied.
    """
    installed = installing.import_file(name, path, sha256, trial, progress)
    keep = getattr(module_of(name), "keep_beside", None)
    record_options(installed, options if keep is None else keep(installed, options))
    return installed
