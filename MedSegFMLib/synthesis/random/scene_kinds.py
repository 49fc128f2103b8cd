"""Kinds of scenes: the arrangement of structures, and which of them are objects."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from .canvas import Canvas
from .object_placement import dominant_radii, maybe_near, placed, small_radii
from .shapes import (
    ball,
    balls,
    blob,
    butterfly,
    compact_shape,
    crescent,
    lesions,
    local,
    radius,
    random_shape,
    random_turn,
    rounded_box,
    sparse_shape,
    tree,
    tube,
)
from .surroundings import capsule, neighbours, surroundings
from .territories import territories


def organs(canvas: Canvas) -> None:
    """One to six objects of any shape among unlabelled ones."""
    rng = canvas.frame.generators.host
    surroundings(canvas)
    count = int(rng.integers(1, 7))
    neighbours(canvas, int(rng.integers(0, 4)))
    big_first = rng.random() < 0.5
    for number in range(count):
        big = big_first and number == 0
        p = placed(canvas, dominant_radii(canvas) if big else small_radii(canvas), not big)
        shape = compact_shape if big else random_shape
        tissue = canvas.add("soft", *maybe_near(canvas), rim=0.3 * (rng.random() < 0.3))
        canvas.paint(shape(p, canvas.frame), tissue, canvas.new_object())


def single(canvas: Canvas) -> None:
    """One large object with structures in and around it."""
    rng = canvas.frame.generators.host
    surroundings(canvas)
    neighbours(canvas, int(rng.integers(0, 5)))
    p = placed(canvas, dominant_radii(canvas))
    level = compact_shape(p, canvas.frame)
    capsule(canvas, level)
    label = canvas.new_object()
    tissue = canvas.add("lesion", *maybe_near(canvas), rim=0.4 * (rng.random() < 0.4))
    canvas.paint(level, tissue, label)
    if rng.random() < 0.5:
        # Nodules, vessels and gaps inside belong to it too.
        nested = canvas.frame.fields(rng.uniform(3, 12))[0] - float(rng.uniform(0.4, 1.5))
        inner = canvas.add("lesion", tissue, float(rng.uniform(0.05, 0.5)))
        canvas.paint(torch.minimum(nested, level), inner, label)
    if rng.random() < 0.3:
        vessel = placed(canvas, np.full(3, rng.uniform(0.4, 1.0)), True)
        canvas.paint(torch.minimum(tree(vessel, canvas.frame), level), canvas.add("vessel"), label)
    neighbours(canvas, int(rng.integers(0, 3)), cover=True)


def sparse(canvas: Canvas) -> None:
    """A large object that fills little of its box, and often another that resembles it."""
    rng = canvas.frame.generators.host
    surroundings(canvas)
    neighbours(canvas, int(rng.integers(0, 5)))
    tissue = canvas.add("soft", *maybe_near(canvas), rim=0.3 * (rng.random() < 0.3))
    level = sparse_shape(placed(canvas, dominant_radii(canvas)), canvas.frame)
    if rng.random() < 0.4:
        # The border between touching similar objects is barely visible.
        like = canvas.add("soft", tissue, float(rng.choice((0.0, 0.05, 0.15))))
        other = random_shape(placed(canvas, dominant_radii(canvas)), canvas.frame)
        canvas.paint(other, like, canvas.new_object() if rng.random() < 0.5 else 0)
    canvas.paint(level, tissue, canvas.new_object())
    neighbours(canvas, int(rng.integers(0, 3)), cover=rng.random() < 0.3)


def specks(canvas: Canvas) -> None:
    """One to six small round objects, each with its own label or all with the same."""
    rng = canvas.frame.generators.host
    surroundings(canvas)
    neighbours(canvas, int(rng.integers(0, 4)))
    tissue = canvas.add("lesion", *maybe_near(canvas))
    apart = rng.random() < 0.5
    label = canvas.new_object()
    for number in range(int(rng.integers(1, 7))):
        label = canvas.new_object() if apart and number else label
        radii = np.exp(rng.uniform(np.log(0.08), np.log(0.3))) * rng.uniform(0.8, 1.2, 3)
        shape = (ball, blob)[int(rng.random() < 0.4)]
        p = placed(canvas, np.asarray(radii), number > 0)
        canvas.paint(shape(p, canvas.frame), tissue, label)


def tumour(canvas: Canvas) -> None:
    """A dark core in a bright rim in oedema, as separate objects or one."""
    rng = canvas.frame.generators.host
    frame = canvas.frame
    surroundings(canvas)
    neighbours(canvas, int(rng.integers(0, 4)))
    outer = blob(placed(canvas, dominant_radii(canvas)), frame)
    apart = rng.random() < 0.7
    label = canvas.new_object()
    tissue = canvas.add("lesion", *maybe_near(canvas))
    canvas.paint(outer, tissue, label)
    inner = outer
    for _ in range(int(rng.integers(1, 4))):
        step = float(rng.uniform(0.1, 0.4))
        inner = inner - step + 0.15 * frame.fields(rng.uniform(3, 8))[0]
        inner = torch.minimum(inner, outer)
        label = canvas.new_object() if apart else label
        canvas.paint(inner, canvas.add("lesion", tissue, float(rng.uniform(0.1, 0.8))), label)


def halves(canvas: Canvas) -> None:
    """An object cut by planes into two or three of nearly equal appearance."""
    rng = canvas.frame.generators.host
    surroundings(canvas)
    neighbours(canvas, int(rng.integers(0, 5)))
    p = placed(canvas, dominant_radii(canvas))
    level = compact_shape(p, canvas.frame)
    capsule(canvas, level)
    tissue = canvas.add("soft", *maybe_near(canvas))
    canvas.paint(level, tissue, canvas.new_object())
    axis = int(rng.integers(3))
    side = rng.choice((-1, 1))
    for cut in np.cumsum(rng.uniform(-0.2, 0.5, int(rng.integers(1, 3)))):
        beyond = (p[axis] - float(cut)) * float(side)
        like = canvas.add("soft", tissue, float(rng.choice((0.0, 0.04))))
        canvas.paint(torch.minimum(level, beyond), like, canvas.new_object())


def heart(canvas: Canvas) -> None:
    """A bright pool with dark muscles, the wall around it and a crescent beside it."""
    rng = canvas.frame.generators.host
    frame = canvas.frame
    surroundings(canvas)
    neighbours(canvas, int(rng.integers(0, 4)))
    radii = dominant_radii(canvas) * rng.uniform(0.7, 1.1)
    turn = random_turn(rng)
    center = rng.uniform(-0.25, 0.25, 3)
    blood, muscle = ("blood", "muscle") if rng.random() < 0.7 else ("vessel", "soft")
    pool = canvas.add(blood, rim=0.1)
    beside = local(canvas.position, center + radii.mean() * turn[0], radii * 1.1, turn, frame)
    canvas.paint(crescent(-beside, frame), canvas.add(blood, pool, 0.1), canvas.new_object())
    p = local(canvas.position, center, radii, turn, frame)
    level = ball(p, frame) + 0.06 * frame.fields(3)[0]
    wall = canvas.add(muscle)
    canvas.paint(level, wall, canvas.new_object())
    cavity = level - float(rng.uniform(0.15, 0.45))
    label = canvas.new_object()
    canvas.paint(cavity, pool, label)
    muscles = frame.fields(rng.uniform(6, 12))[0] - float(rng.uniform(1.2, 2))
    canvas.paint(torch.minimum(muscles, cavity), wall, label)


def head(canvas: Canvas) -> None:
    """Skin, skull, fluid and a folded brain; objects are the inside, its parts or lesions."""
    rng = canvas.frame.generators.host
    frame = canvas.frame
    canvas.paint(torch.ones_like(canvas.depth), canvas.add("air"))
    p = placed(canvas, rng.uniform(0.75, 1.3) * rng.uniform(0.85, 1.1, 3), False, most_rad=0.3)
    level = rounded_box(p, frame)
    canvas.paint(level, canvas.add("fat"))
    bone = level - float(rng.uniform(0.02, 0.1))
    canvas.paint(bone, canvas.add("bone"))
    inside = bone - float(rng.uniform(0.03, 0.1))
    variant = rng.choice(("inside", "matter", "lesions", "nuclei"))
    label = canvas.new_object() if variant == "inside" else None
    canvas.paint(inside, canvas.add("fluid"), label)
    folds = frame.fields(rng.uniform(8, 14))[0].abs()
    brain = inside - 0.02 - 0.4 * (0.3 - folds).clamp(min=0)
    gray = canvas.add("soft")
    canvas.paint(brain, gray, canvas.new_object() if variant == "matter" else None)
    white = torch.minimum(brain - 0.05, brain - 0.12 + 0.35 * (folds - 0.5))
    wm = canvas.add("soft", gray, float(rng.uniform(0.08, 0.3)))
    canvas.paint(white, wm, canvas.new_object() if variant == "matter" else None)
    mirrored = torch.stack([p[0], p[1], p[2].abs()])
    for role, wanted in (("fluid", rng.random() < 0.3), ("soft", variant == "nuclei")):
        at = np.array([*rng.uniform(-0.2, 0.2, 2), rng.uniform(0.08, 0.25)])
        q = local(mirrored, at, rng.uniform(0.1, 0.3, 3), random_turn(rng), frame)
        tissue = canvas.add(role, *((gray, 0.05) if role == "soft" else ()))
        canvas.paint(blob(q, frame), tissue, canvas.new_object() if wanted else None)
    if variant == "lesions":
        scattered = lesions(placed(canvas, np.full(3, 0.6)), frame)
        tissue = canvas.add("lesion", wm, float(rng.uniform(0.2, 0.7)))
        canvas.paint(torch.minimum(scattered, inside), tissue, canvas.new_object())


def cord(canvas: Canvas) -> None:
    """A long tube within a tube of fluid, with a butterfly in its cross section."""
    rng = canvas.frame.generators.host
    frame = canvas.frame
    surroundings(canvas)
    neighbours(canvas, int(rng.integers(0, 5)))
    across = rng.uniform(0.3, 0.8) * rng.uniform(0.7, 1.2, 2)
    radii = np.array([rng.uniform(2, 8), *across])
    p = placed(canvas, radii, most_rad=0.35)
    flat = torch.stack([0.15 * p[0], p[1], p[2]])
    level = 1 - radius(flat) + 0.03 * frame.fields(4)[0]
    canvas.paint(level + float(rng.uniform(0.1, 0.6)), canvas.add("fluid"))
    variant = rng.choice(("whole", "gray", "both"))
    outer = canvas.add("soft")
    canvas.paint(level, outer, None if variant == "gray" else canvas.new_object())
    inner = canvas.add("soft", outer, float(rng.uniform(0.06, 0.3)))
    scale = float(rng.uniform(0.8, 1))
    horns = torch.minimum(butterfly(flat / scale, frame), level)
    canvas.paint(horns, inner, canvas.new_object() if variant != "whole" else None)


def vessels(canvas: Canvas) -> None:
    """Branching vessels; one tree is an object."""
    rng = canvas.frame.generators.host
    surroundings(canvas)
    neighbours(canvas, int(rng.integers(0, 4)))
    for number in range(int(rng.integers(1, 4))):
        p = placed(canvas, rng.uniform(0.7, 1.3, 3) * 0.9)
        shape = (tree, tube)[int(rng.random() < 0.3)]
        label = canvas.new_object() if number == 0 or rng.random() < 0.5 else None
        canvas.paint(shape(p, canvas.frame), canvas.add("vessel"), label)


def uptake(canvas: Canvas) -> None:
    """Hot spots, some of them rings, in a barely visible body."""
    rng = canvas.frame.generators.host
    surroundings(canvas)
    neighbours(canvas, int(rng.integers(0, 4)))
    for number in range(int(rng.choice((1, 1, 1, 2, 3)))):
        radii = dominant_radii(canvas) if number == 0 else small_radii(canvas)
        level = compact_shape(placed(canvas, radii, number > 0), canvas.frame)
        hot = canvas.add("hot", rim=float(rng.choice((0, 0, 0.3, 0.8))))
        label = canvas.new_object()
        canvas.paint(level, hot, label)
        if rng.random() < 0.4:
            bumps = 0.3 * canvas.frame.fields(4)[0]
            core = torch.minimum(level, level - float(rng.uniform(0.2, 0.6)) + bumps)
            canvas.paint(core, canvas.add("soft"), label)


def cells(canvas: Canvas) -> None:
    """Cells between bright or dark walls, in tissue that may end within the view."""
    rng = canvas.frame.generators.host
    count = int(np.exp(rng.uniform(np.log(6), np.log(48))))
    territory = territories(canvas, count)
    if rng.random() < 0.4:
        canvas.labels = territory.label(canvas, int(rng.integers(1, 7)))
    else:
        canvas.labels = territory.label(canvas, 1)
    canvas.paint(torch.ones_like(canvas.depth), canvas.add("interior"))
    canvas.paint(float(rng.uniform(0.03, 0.09)) - territory.gap, canvas.add("wall"))
    if rng.random() < 0.5:
        nuclei = 1 - territory.nearest / float(rng.uniform(0.1, 0.3))
        canvas.paint(nuclei, canvas.add("organelle"))
    if rng.random() < 0.5:
        p = placed(canvas, rng.uniform(0.7, 1.4, 3))
        canvas.paint(-blob(p, canvas.frame), canvas.add("air"), 0)


def neurites(canvas: Canvas) -> None:
    """Tissue under an electron microscope: membranes, mitochondria and synapses."""
    rng = canvas.frame.generators.host
    frame = canvas.frame
    territory = territories(canvas, int(rng.integers(8, 48)), bend=0.2)
    canvas.paint(torch.ones_like(canvas.depth), canvas.add("interior"))
    for threshold in rng.uniform(0.3, 1, 2):
        stained = frame.fields(3)[0] - float(threshold)
        canvas.paint(stained, canvas.add("interior"))
    width = float(rng.uniform(0.015, 0.05))
    canvas.paint(width - territory.gap, canvas.add("wall"))
    variant = rng.choice(("organelles", "synapses", "both", "neurite"))
    if variant == "neurite":
        canvas.labels = territory.label(canvas, int(rng.integers(1, 4)))
    count = int(rng.integers(2, 25))
    p = placed(canvas, rng.uniform(0.6, 1.6, 3))
    centers, radii = rng.uniform(-1.2, 1.2, (count, 3)), rng.uniform(0.08, 0.3, count)
    level = balls(p, centers, radii, frame) + 0.02 * frame.fields(10)[0]
    tissue = canvas.add("organelle", rim=-0.5)
    canvas.paint(level, tissue, canvas.new_object() if variant in ("organelles", "both") else None)
    patches = torch.minimum(3 * width - territory.gap, 0.05 * (frame.fields(5)[0] - 1.2))
    canvas.paint(
        patches,
        canvas.add("wall"),
        canvas.new_object() if variant in ("synapses", "both") else None,
    )


# The relative frequency of each kind of scene.
KINDS: dict[Callable[[Canvas], None], float] = {
    organs: 5,
    single: 5,
    sparse: 5,
    specks: 2,
    tumour: 3,
    halves: 2,
    heart: 4,
    head: 2.5,
    cord: 1.5,
    vessels: 1.5,
    uptake: 2,
    cells: 2,
    neurites: 1.5,
}
