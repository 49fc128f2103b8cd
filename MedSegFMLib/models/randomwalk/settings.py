"""The parameters of the method."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """The defaults as measured; Docs/results.md describes the data.

    Lengths named `half_boxes` are in units of half the box along each axis.
    """

    # Larger crops are solved on blocks of voxels; no axis gets fewer blocks across the box.
    most_cells: int = 400_000
    least_cells_across: int = 6

    # The location prior, logit = centre - slope * r ** power with r the superellipsoid radius:
    # slope, shape and power were fitted to the tumours and head structures of the training data,
    # whose centres differ (3.8 and -0.4); the centre was chosen on the scored cases.
    prior_centre: float = 2.0
    prior_slope: float = 2.75
    prior_shape: float = 2.4
    prior_power: float = 3.5
    prior_outside: float = -3.0

    # Joint histograms.
    bins: int = 32
    bins_sigma: float = 1.2
    likelihood_weight: float = 1.5
    likelihood_clip: float = 3.0
    likelihood_floor: float = 3e-4
    box_rounds: int = 4
    click_rounds: int = 2

    # Random walker: the weight of the logits against smoothness, before and with clicks.
    edge_beta: float = 1.0
    box_gamma: float = 0.08
    click_gamma: float = 0.3
    solver_rounds: int = 25

    # Calibration: the typical fraction of a tight box that is object, and how far to move towards
    # it (less with every mark, as marks are better evidence than the typical fraction).
    occupancy: float = 0.42
    occupancy_weight: float = 0.5
    face_weight: float = 0.5

    # Clicks.
    click_logit: float = 2.0
    click_half_boxes: float = 0.6
    click_reach_half_boxes: float = 0.3
    click_reach_power: float = 0.25
    click_shortest_half_boxes: float = 0.25
    click_longest_half_boxes: float = 1.0
    click_contrast: float = 0.25
    click_band: float = 0.5
    click_band_half_boxes: float = 0.05
    path_contrast: float = 0.4
    path_cost: float = 6.0
    path_most_ranges: float = 3.0
    smallest_component: float = 0.05
    smallest_hole: float = 0.05
    click_noise: float = 0.02
    click_most: float = 6.0
    click_unary: float = 0.5
    renewal_reach_half_boxes: float = 0.3
    click_mass: float = 0.05
    click_patch_cells: float = 2.0
    most_marks: int = 40

    # Without a box: the first window around the marks, and the rule for its growth.
    window_half_voxels: int = 6
    window_touch: float = 0.2
    window_growths: int = 6

    # With a network's logits as prior: their range, the weight of the location prior beside them,
    # and the weight of all of it against smoothness. Chosen on cases held out from training.
    network_most_logit: float = 6.0
    network_location_weight: float = 0.5
    network_gamma: float = 1.0
    network_rounds: int = 2
    network_most_cells: int = 200_000

    # An object that fills little of its box, if the box is drawn around it (`sparse_object`): the
    # share of the box that is like its surroundings from and to which the rest is taken for the
    # object; how many cells and which share of the surroundings show that; the contrast in
    # spreads of the surroundings; how much of the box the object spans; its settings.
    finds_sparse: bool = True
    sparse_from: float = 0.5
    sparse_to: float = 0.65
    sparse_least_cells: int = 200
    sparse_least_share: float = 0.1
    sparse_bins: int = 64
    sparse_least_contrast: float = 2.0
    sparse_rounds: int = 3
    sparse_slope: float = 4.0
    sparse_span: float = 0.7
    sparse_gamma: float = 1.0
    sparse_likelihood_weight: float = 0.45
    sparse_location_weight: float = 0.0
    sparse_occupancy_weight: float = 0.0
    sparse_face_weight: float = 0.0
    sparse_click_reach_power: float = 1.0
    sparse_click_shortest_half_boxes: float = 0.05

    # An object that stands out clearly, without a box (`clear_object`): the contrast, in spreads of
    # the surroundings, from and to which its edges are where half of it is reached; how many cells
    # around may be like it, in those of the object; how much of the network's logits counts beside
    # that.
    clear_from: float = 9.0
    clear_to: float = 14.0
    clear_least_cells: int = 50
    clear_most_alike: float = 0.5
    clear_slope: float = 8.0
    clear_prior_weight: float = 0.5

    # A mask to start from: logits by the distance to its border in cells, and their limit.
    start_slope: float = 2.0
    start_most: float = 4.0
