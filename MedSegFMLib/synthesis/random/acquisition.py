"""Image acquisition of a random scene: resolution, slice thickness, noise, shading, window.

It simulates a device from ideal tissue brightness, with noise and resolution that depend on the
device. `recorded.scanner` applies milder changes to images that may be real.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..fields import Frame, along_axes
from .appearance import CT, ELECTRON, PET, ULTRASOUND, Style

_QUANTILES = (0.005, 0.995)
_SAMPLED_VOXELS = 8192


def acquire(image: Tensor, labels: Tensor, style: Style, frame: Frame) -> tuple[Tensor, Tensor]:
    """The acquired image, (K, J, I) float32 of 0 to 1, and the labels.

    If the device has fewer voxels than the scene, the labels may be resampled to its voxels.
    """
    rng = frame.generators.host
    if style not in (CT, ELECTRON) and rng.random() < 0.6:
        image = image * torch.exp(
            float(rng.uniform(0.05, 0.4)) * frame.fields(rng.uniform(0.5, 2))[0]
        )
    blurs, factors = _resolution(style, rng)
    down = [_sampling(n, s, f) for n, s, f in zip(frame.shape_kji, blurs, factors, strict=True)]
    image = along_axes(image[None], [d.to(frame.device) for d in down])
    image = _noisy(image, style, frame)
    linear = rng.random() < 0.7
    up = [_enlarging(n, len(d), linear) for n, d in zip(frame.shape_kji, down, strict=True)]
    if max(factors) > 1:
        image = along_axes(image, [u.to(frame.device) for u in up])
        if rng.random() < 0.5:
            labels = _as_measured(labels, [len(d) for d in down])
    return _windowed(image[0], style, frame), labels


def _resolution(style: Style, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Blur (sigma in voxels) and size of a measured voxel (in voxels) along each axis."""
    blur = rng.uniform(0.3, 1.0)
    size = 1.0
    if style is PET:
        size = float(np.exp(rng.uniform(0, np.log(6))))
        blur = rng.uniform(0.6, 1.2) * size
    elif rng.random() < 0.25:
        size = float(rng.uniform(1.2, 3))
        blur = 0.5 * size
    blurs, sizes = [blur] * 3, [size] * 3
    if rng.random() < 0.4:
        axis = int(rng.choice(3, p=(0.7, 0.15, 0.15)))
        sizes[axis] *= float(np.exp(rng.uniform(np.log(1.3), np.log(8 / min(size, 4)))))
        blurs[axis] = sizes[axis] * rng.uniform(0.2, 0.5)
    return blurs, sizes


def _sampling(length: int, sigma: float, size: float) -> Tensor:
    """(measured, length) weights: blurred voxels at the centres of measured ones, at least 3."""
    count = max(min(length, 3), round(length / size))
    return _kernel(length, count, round(sigma, 1))


@lru_cache(maxsize=512)
def _kernel(length: int, count: int, sigma: float) -> Tensor:
    centers = (np.arange(count) + 0.5) * length / count - 0.5
    weights = np.exp(-0.5 * ((np.arange(length) - centers[:, None]) / max(sigma, 0.2)) ** 2)
    weights /= weights.sum(1, keepdims=True)
    return torch.from_numpy(weights.astype(np.float32))


@lru_cache(maxsize=512)
def _enlarging(length: int, count: int, linear: bool) -> Tensor:
    """(length, count) weights of measured voxels, by linear or nearest interpolation."""
    at = (np.arange(length) + 0.5) * count / length - 0.5
    apart = np.abs(at.clip(0, count - 1)[:, None] - np.arange(count))
    weights = (1 - apart).clip(min=0) if linear else (apart <= apart.min(1, keepdims=True))
    weights = weights / weights.sum(1, keepdims=True)
    return torch.from_numpy(weights.astype(np.float32))


def _as_measured(labels: Tensor, counts: list[int]) -> Tensor:
    """Labels that are constant within each of `counts` measured voxels along the axes."""
    for axis, (length, count) in enumerate(zip(labels.shape, counts, strict=True)):
        voxel = np.arange(length) * count // length
        middle = ((voxel + 0.5) * length / count).astype(np.int64)
        labels = labels.index_select(axis, torch.from_numpy(middle).to(labels.device))
    return labels


def _noisy(image: Tensor, style: Style, frame: Frame) -> Tensor:
    rng = frame.generators.host
    strength = float(np.exp(rng.uniform(np.log(0.006), np.log(0.12 if style is CT else 0.08))))
    white = frame.noise(image.shape)
    if style is ULTRASOUND:
        return _speckled(image, frame)
    if style is CT:
        # Reconstruction leaves noise that is correlated over a voxel or two.
        white = _grainy(white, float(rng.uniform(0, 0.9)), frame)
        if rng.random() < 0.15:
            white = white + _streaks(image, frame)
        return image + strength * white
    if style is PET:
        grain = _grainy(white, float(rng.uniform(0.4, 1)), frame)
        return image + (0.02 + image.clamp(min=0)).sqrt() * strength * grain
    if style is ELECTRON or rng.random() < 0.5:
        return image + (0.3 + image.clamp(min=0)).sqrt() * strength * white
    return ((image + strength * white) ** 2 + (strength * frame.noise(image.shape)) ** 2).sqrt()


def _grainy(white: Tensor, sigma: float, frame: Frame) -> Tensor:
    """Blurred white noise, rescaled to variance 1."""
    kernels = [_kernel(n, n, round(sigma, 1)) for n in white.shape[1:]]
    kernels = [kernel.to(frame.device) for kernel in kernels]
    along_k, along_j, along_i = (kernel[len(kernel) // 2].norm() for kernel in kernels)
    return along_axes(white, kernels) / (along_k * along_j * along_i)


def _speckled(image: Tensor, frame: Frame) -> Tensor:
    """Speckle of many small scatterers: the magnitude of blurred complex noise, compressed."""
    rng = frame.generators.host
    parts = frame.noise((2, *image.shape[1:]))
    kernels = [
        _kernel(n, n, round(sigma, 1)).to(frame.device)
        for n, sigma in zip(image.shape[1:], rng.uniform(0.4, 1.6, 3), strict=True)
    ]
    echo = along_axes(parts, kernels).square().sum(0, keepdim=True)
    echo = (echo / echo.mean()).sqrt()
    strength = float(rng.uniform(0.2, 0.8))
    return image.clamp(min=0) * (1 - strength + strength * echo) + 0.02 * echo


def _streaks(image: Tensor, frame: Frame) -> Tensor:
    """Plane waves across slices."""
    rng = frame.generators.host
    _, j, i = torch.meshgrid(
        *(torch.linspace(-1, 1, n, device=frame.device) for n in image.shape[1:]), indexing="ij"
    )
    total = torch.zeros_like(j)
    for angle in rng.uniform(0, np.pi, 4):
        across = float(np.cos(angle)) * j + float(np.sin(angle)) * i
        total += torch.sin(float(rng.uniform(15, 60)) * across + float(rng.uniform(0, 6)))
    return total[None] * float(rng.uniform(0.3, 1))


def _windowed(image: Tensor, style: Style, frame: Frame) -> Tensor:
    """Apply a window or a gamma, then map the 0.5 and 99.5 percentiles to 0 and 1."""
    rng = frame.generators.host
    if style is CT and rng.random() < 0.7:
        low = float(rng.uniform(-0.6, -0.1))
        image = image.clamp(low, float(rng.uniform(0.4, 1.2)))
    image = _stretched(image)
    if style is not CT and rng.random() < 0.4:
        image = image.pow(float(np.exp(rng.uniform(-0.5, 0.5))))
    return image


def _stretched(image: Tensor) -> Tensor:
    flat = image.reshape(-1)
    # An odd step, because an even one samples only a few columns if the width is a power of two.
    sample = flat[:: (len(flat) // _SAMPLED_VOXELS) | 1]
    low, high = torch.quantile(sample, sample.new_tensor(_QUANTILES))
    return ((image - low) / (high - low).clamp(min=1e-6)).clamp(0, 1)
