"""Training with 16 bits on a CPU has the gradients of the loss."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from MedSegFMLib.models.common.torch_convolution import Convolution3d  # noqa: E402


@pytest.mark.parametrize("shape", [(2, 2, 2), (2, 5, 4), (3, 3, 3), (4, 2, 2)], ids=str)
def test_gradients_with_16_bits_are_those_with_32(shape: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    layer = Convolution3d(32, 32, 3, padding=1, bias=False)
    features, wanted = torch.randn(2, 4, 32, *shape)
    gradients = []
    for half in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            answer = layer(features)
        (answer.float() * wanted).sum().backward()
        assert layer.weight.grad is not None
        gradients.append(layer.weight.grad.clone())
    plain, rounded = gradients
    assert float((rounded - plain).norm()) < 0.05 * float(plain.norm())
