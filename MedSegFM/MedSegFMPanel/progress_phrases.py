"""Progress phrases of the library and its worker, in the user's language."""

from slicer.i18n import tr as _

_LOADING = "loading the model "
_PHRASES = {
    "starting the worker": _("Starting the model's process"),
    "nothing to prepare": _("Preparing the image"),
    "preparing the image": _("Preparing the image"),
    "the image is prepared": _("Preparing the image"),
    "preparing the slices": _("Preparing the slices"),
    "the slices are prepared": _("Preparing the slices"),
    "preparing the volume": _("Preparing the volume"),
    "the volume is seen": _("Encoding the volume"),
    "looking at the image": _("Encoding the image"),
    "looking at the region": _("Encoding the image"),
    "looking at the volume": _("Encoding the volume"),
    "the slices are looked at": _("Encoding the slices"),
    "reading the prompts": _("Reading the prompts"),
    "reading the marks": _("Reading the prompts"),
    "drawing the object": _("Segmenting the object"),
    "drawing the outline": _("Segmenting the object"),
    "drawing the classes": _("Segmenting the classes"),
    "telling the classes apart": _("Segmenting the classes"),
    "telling object and background apart": _("Separating object and background"),
    "following the image": _("Fitting the object to the image"),
    "the object is drawn": _("Finishing"),
    "the classes are drawn": _("Finishing"),
    "the box is filled": _("Finishing"),
    "done": _("Finishing"),
    "looking for the slice that shows it best": _("Searching for the best slice"),
    "bringing the planes together": _("Combining the planes"),
    "comparing the planes": _("Comparing the planes"),
    "downloading weights": _("Downloading weights"),
}


def translated(phrase):
    """A phrase in the user's language; one that is not in the table only gets a capital."""
    if phrase.startswith(_LOADING):
        return _("Loading the model {name}").format(name=phrase[len(_LOADING) :])
    found = _PHRASES.get(phrase.casefold())
    return found or phrase[:1].upper() + phrase[1:]
