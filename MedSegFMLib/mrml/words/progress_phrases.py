"""Progress phrases of the library and its worker, in the user's language."""

from __future__ import annotations

from .translation import tr as _

PHRASES = {
    "Checking the file": _("Checking the file"),
    "Checking the values": _("Checking the values"),
    "Comparing the looks": _("Comparing the looks"),
    "Comparing the planes": _("Comparing the planes"),
    "Computing features": _("Computing features"),
    "Encoding slices": _("Encoding slices"),
    "Encoding the image": _("Encoding the image"),
    "Filling the box": _("Filling the box"),
    "Finding the best slice": _("Finding the best slice"),
    "Following the objects": _("Following the objects"),
    "Fusing the planes": _("Fusing the planes"),
    "Loading the model": _("Loading the model"),
    "Loading the weights": _("Loading the weights"),
    "Looking at the mirror image": _("Looking at the mirror image"),
    "Looking for the object": _("Looking for the object"),
    "Predicting around the clicks": _("Predicting around the clicks"),
    "Predicting the classes": _("Predicting the classes"),
    "Predicting the mask": _("Predicting the mask"),
    "Preparing the image": _("Preparing the image"),
    "Preparing the slices": _("Preparing the slices"),
    "Preparing the volume": _("Preparing the volume"),
    "Propagating from slice to slice": _("Propagating from slice to slice"),
    "Reading the headers of the images": _("Reading the headers of the images"),
    "Reading the prompts": _("Reading the prompts"),
    "Reading the words": _("Reading the words"),
    "Resolving overlaps": _("Resolving overlaps"),
    "Separating object and background": _("Separating object and background"),
    "Separating the classes": _("Separating the classes"),
    "Solving the random walk": _("Solving the random walk"),
    "Starting from the mask": _("Starting from the mask"),
    "Starting the worker": _("Starting the worker"),
    "Straightening the volume": _("Straightening the volume"),
    "Trying the weights": _("Trying the weights"),
    "Writing the segments": _("Writing the segments"),
}


def translated(phrase: str) -> str:
    """A phrase in the user's language; one that is not in the table stays as it is."""
    return PHRASES.get(phrase, phrase)
