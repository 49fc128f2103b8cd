"""Segmentation without weights, from the box, the clicks and the image alone.

A region is a grid of cells: voxels, or blocks of voxels if there are many. Each cell x has a logit
u(x), the sum of

- the prior probability that a place in a box belongs to the object (`box_grid`),
- how much better its intensity and texture fit the object than the background (`appearance`),
- with clicks, a part of their correction (`clicks`).

A random walker with priors (Grady, "Multilabel random walker image segmentation using prior
models", CVPR 2005) makes neighbours agree unless an edge lies between them (`random_walker`): it
minimises

    sum_x gamma (f(x) - tanh(u(x) / 2))^2 + sum_xy w(x, y) (f(x) - f(y))^2

An object that fills little of its box but differs from what is around it has a prior of its own
(`sparse_object`); one that stands out clearly from a click ends at half its contrast
(`half_contrast`).

The threshold is then moved towards a typical fraction of the box (`calibration`), `solver`
alternates appearance, walker and clicks, and small pieces without a mark are removed
(`small_components`). Without a box, `flood_window` finds one around the first mark.
"""
