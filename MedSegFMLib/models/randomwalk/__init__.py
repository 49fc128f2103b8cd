"""Segmentation without weights, from what the box, the clicks and the image itself tell.

A region is seen as a grid of cells (voxels, or blocks of them where there are many). Each cell x
has a logit u(x), the sum of

- how likely a place in a box belongs to the object drawn around (`box_grid`),
- how much better its intensity and texture fit the object than the background (`appearance`),
- with clicks, part of what they correct (`clicks`).

A random walker with priors (Grady, "Multilabel random walker image segmentation using prior
models", CVPR 2005) makes neighbours agree unless an edge lies between them (`random_walker`): it
minimises

    sum_x gamma (f(x) - tanh(u(x) / 2))^2 + sum_xy w(x, y) (f(x) - f(y))^2

The threshold then moves toward a typical share of the box (`calibration`), `solver` repeats
appearance, walker and clicks in turn, and small pieces that hold no mark go (`small_components`).
Without a box, `flood_window` finds one around the first mark.
"""
