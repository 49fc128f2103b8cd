"""How far two planes are apart on the line in which they meet, and how unsure they are there.

"The Cost of Consistency" compares probabilities: ||M_ax[∩_i] − M_i[∩_ax]||². Unsure probabilities
differ less, so that this term falls while the masks agree less. The other ways of comparing reward
agreement of masks alone: probabilities of sharpened logits, differences beyond a margin, masks
whose gradient is that of their probabilities (Bengio et al., "Estimating or propagating gradients
through stochastic neurons", 2013), or a price for being unsure, the binary entropy (Grandvalet and
Bengio, "Semi-supervised learning by entropy minimization", 2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

Compared = Literal["probabilities", "logits", "masks"]


@dataclass(frozen=True)
class Agreement:
    """The comparison that the intersection term makes; the defaults are the paper's.

    Attributes:
        compared: Probabilities, logits, or masks with the gradient of probabilities.
        sharpness: The factor of logits before they become probabilities.
        margin: The difference up to which nothing is paid.
        certainty: The weight of the entropy beside the squared difference.
        coronal_sagittal: Whether the coronal and the sagittal view are compared too.
    """

    compared: Compared = "probabilities"
    sharpness: float = 1.0
    margin: float = 0.0
    certainty: float = 0.0
    coronal_sagittal: bool = False

    def price(self, one: Tensor, other: Tensor) -> Tensor:
        """The mean price, a scalar, of two tensors of logits of the same voxels."""
        gap = self._values(one) - self._values(other)
        if self.margin:
            gap = (gap.abs() - self.margin).clamp(min=0)
        price = gap.square().mean()
        if self.certainty:
            unsure = (entropy(one).mean() + entropy(other).mean()) / 2
            price = price + self.certainty * unsure
        return price

    def _values(self, logits: Tensor) -> Tensor:
        if self.compared == "logits":
            return logits
        likely = (self.sharpness * logits).sigmoid()
        if self.compared == "masks":
            return likely + ((logits > 0).to(likely) - likely).detach()
        return likely


def entropy(logits: Tensor) -> Tensor:
    """The binary entropy of each voxel in nats, 0 to ln 2."""
    return softplus(logits) - logits * torch.sigmoid(logits)
