"""Pictures of a volume: slices with the outlines of objects and the prompts.

`view`, `show`, `segment`, `evaluate` and the recipes of training draw the same picture; which
slices it has, `panels.py` chooses.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError
from ..prompts.places import Place
from ..prompts.types import Prompt
from ..prompts.voxels import to_voxels
from ..system.atomic_files import write_bytes
from ..volumes.patient_planes import Plane
from ..volumes.region import Region
from ..volumes.volume import Volume
from ..volumes.windows import Window
from .outlines import COLOURS, Outline
from .places import draw_places
from .sheet import draw_caption, make_sheet
from .slices import (
    crop_axes,
    draw_indices,
    draw_marks,
    draw_outline,
    draw_scale,
    draw_sides,
    draw_slice,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PICTURE_ENDINGS = (".png", ".jpg", ".jpeg")
# Dots per inch of a file. The largest side that every reader of JPEG takes is 65,535 pixels.
_DPI = 110
# Of outlines, in points.
_WIDTH, _OWN_WIDTH, _WIDTH_OF_MANY = 1.5, 1.8, 1.0


@dataclass(frozen=True)
class Panel:
    """A slice to draw.

    Attributes:
        plane: its plane.
        index: its index along the axis of the plane.
        shown: the region that the image is cropped to.
        window: the values from black to white.
        of: the object that it was chosen for; None for none.
    """

    plane: Plane
    index: int
    shown: Region
    window: Window
    of: Outline | None = None

    @property
    def ratio(self) -> float:
        """Height divided by width of the image in the patient."""
        shape = self.shown.shape_kji
        return self.plane.aspect * shape[self.plane.rows_kji] / shape[self.plane.columns_kji]

    @property
    def caption(self) -> str:
        """The plane and the index."""
        return f"{self.plane.name}, {'kji'[self.plane.axis_kji]} = {self.index}"


@dataclass(frozen=True)
class Scene:
    """A volume with what is drawn over it.

    Attributes:
        volume: the volume.
        outlines: the masks, in the order of the legend; those of one name share an entry.
        prompts: the prompts.
        window: the window that the user chose; None for the one that fits each panel.
        places: where an object may be, which are drawn with their numbers.
    """

    volume: Volume
    outlines: Sequence[Outline] = ()
    prompts: Sequence[Prompt] = field(default=())
    window: Window | None = None
    places: Sequence[Place] = ()


def draw_panels(
    scene: Scene, rows: Sequence[Sequence[Panel]], title: str = "", indices: bool = True
) -> Figure:
    """Draw slices in rows, each with its plane, index and window, sides and scale.

    Args:
        scene: what is drawn.
        rows: the slices, as `panels` chooses them; at least one.
        title: text above the images.
        indices: whether to draw voxel indices at the sides of the images, which takes long.
    """
    lines = {outline.name: (outline.colour, outline.dashed) for outline in scene.outlines}
    ratios = [[panel.ratio for panel in row] for row in rows]
    sheet = make_sheet(ratios, lines, title, indices)
    marks = to_voxels(scene.prompts, scene.volume.geometry) if scene.prompts else None
    shape = scene.volume.geometry.shape_kji
    width = _WIDTH if len(lines) <= len(COLOURS) else _WIDTH_OF_MANY
    for axes_row, row in zip(sheet.rows, rows, strict=True):
        for axes, panel in zip(axes_row, row, strict=True):
            draw_image(axes, scene.volume, panel, indices)
            # Borders that two objects share are drawn in the colour of the panel's own.
            for outline in sorted(scene.outlines, key=lambda outline: outline is panel.of):
                cut = outline.cut(panel.plane, shape, panel.index)
                if cut is not None:
                    line = _OWN_WIDTH if outline is panel.of else width
                    draw_outline(axes, cut, outline.colour, outline.dashed, line)
            if marks is not None:
                draw_marks(axes, panel.plane, shape, marks, panel.index)
            draw_places(axes, panel.plane, scene.volume.geometry, scene.places, panel.index)
    return sheet.figure


def draw_image(axes: Axes, volume: Volume, panel: Panel, indices: bool) -> None:
    """Draw the grey values of a panel with its caption, sides and scale, and no outlines."""
    geometry = volume.geometry
    draw_slice(axes, panel.plane, volume, panel.index, panel.window)
    crop_axes(axes, panel.plane, geometry.shape_kji, panel.shown)
    columns = panel.plane.columns_kji
    draw_scale(axes, panel.shown.shape_kji[columns] * geometry.spacing_kji_mm[columns])
    draw_sides(axes, panel.plane)
    if indices:
        draw_indices(axes, panel.plane, geometry.shape_kji, panel.shown)
    else:
        axes.set_axis_off()
    if panel.of is None:
        draw_caption(axes, panel.caption, panel.window.text)
    else:
        name = panel.of.name
        draw_caption(axes, f"{_fitting(name)}: {panel.caption}", panel.window.text, panel.of.colour)


def _fitting(name: str) -> str:
    return name if len(name) <= 24 else f"{name[:23]}…"


def check_picture_ending(path: Path) -> None:
    """Raise OutputError if no supported image format has this ending."""
    if path.suffix.lower() not in _PICTURE_ENDINGS:
        raise OutputError(f"{path} has an unsupported ending; use .png or .jpg.")


def write_picture(figure: Figure, path: Path | str) -> None:
    """Write a figure as PNG or JPEG, in the format of the ending, whole or not at all."""
    picture = BytesIO()
    ending = Path(path).suffix.lower().removeprefix(".")
    with warnings.catch_warnings():
        # Letters that the font lacks are boxes in the picture; names are printed beside it.
        warnings.filterwarnings("ignore", "Glyph .* missing from", UserWarning)
        figure.savefig(picture, dpi=_DPI, facecolor=figure.get_facecolor(), format=ending)
    write_bytes(path, picture.getvalue())
