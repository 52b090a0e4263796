"""An X-ray beam behind a limb: spectrum, scatter, blur, noise, and the processing of a CR reader.

- Spectrum: Kramers' law for a tungsten tube at 70 kVp behind 3 mm of aluminium, weighted by energy for an
  energy-integrating detector. The beam therefore hardens in thick bone. Characteristic lines (above 57 keV) are left
  out.
- Mass attenuation coefficients: Hubbell and Seltzer, NISTIR 5632 (NIST): cortical bone, skeletal muscle and adipose
  tissue of ICRU-44 (Table 4), aluminium (Table 3), interpolated in the logarithm; densities of ICRU-44.
- Scatter: a share of the primary image is blurred over about 30 mm. Behind an extremity and an anti-scatter grid the
  share of scatter is 10 to 35 %.
- Noise: at about 2.5 uGy (speed class 400) a CR plate receives about 3e4 quanta per mm2 and uGy and detects about one
  fifth of them (DQE of a powder plate 18 %: MacKenzie and Honey, Med Phys 34:3345, 2007). Part of its noise does not
  depend on the dose (same paper). The laser that reads the plate blurs image and noise equally.
- Presentation: the logarithm, then processing that differs between manufacturers: attenuation of coarse structure
  (multi-frequency processing, dynamic range control), edge enhancement, and shoulder and toe of the look-up table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.simulation.tools.noise import blurred
from monai_xray2mri.simulation.tools.primitives import smoothstep

TUBE_KILOVOLT: Final = 70.0
ALUMINIUM_MM: Final = 3.0
ENERGIES_KEV: Final = tuple(range(22, 70, 4))
_TABLE_KEV: Final = (15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 80.0)
_ALUMINIUM: Final = (7.955, 3.441, 1.128, 0.5685, 0.3681, 0.2778, 0.2018)
_CORTICAL_BONE: Final = (9.032, 4.001, 1.331, 0.6655, 0.4242, 0.3148, 0.2229)
_MUSCLE: Final = (1.693, 0.8205, 0.3783, 0.2685, 0.2262, 0.2048, 0.1823)
_ADIPOSE: Final = (1.083, 0.5677, 0.3063, 0.2396, 0.2123, 0.1974, 0.1800)
"""Mass attenuation coefficients in cm2/g at ``_TABLE_KEV``."""
_DENSITY: Final = {"aluminium": 2.699, "bone": 1.92, "muscle": 1.05, "fat": 0.95}
"""g/cm3."""
_GRANULARITY_MM2: Final = 1.2e-5
"""Noise power of the plate's grain in mm2, relative to the square of the dose; an estimate."""
_RESAMPLING_PIXELS: Final = 0.41
"""Sigma in pixels of the blur when the reader resamples its finer pixels to those of the image, linearly."""
_SATURATION: Final = 150.0
_DIRECT: Final = (-4.0, -2.0)
"""Signal of direct exposure next to the leg, which readers show black, and signal at which the leg begins."""
_COARSE: Final = 8
"""Scatter and coarse structure are computed on pixels larger by this factor."""


def _coefficients(table: Sequence[float], density: float) -> tuple[float, ...]:
    """Linear attenuation coefficients in 1/mm at ``ENERGIES_KEV``, interpolated in both logarithms."""
    values = []
    for energy in ENERGIES_KEV:
        upper = next(i for i, knot in enumerate(_TABLE_KEV) if knot >= energy and i > 0)
        low, high = _TABLE_KEV[upper - 1], _TABLE_KEV[upper]
        share = math.log(energy / low) / math.log(high / low)
        values.append(
            density / 10 * math.exp((1 - share) * math.log(table[upper - 1]) + share * math.log(table[upper]))
        )
    return tuple(values)


MU_BONE: Final = _coefficients(_CORTICAL_BONE, _DENSITY["bone"])
MU_MUSCLE: Final = _coefficients(_MUSCLE, _DENSITY["muscle"])
MU_FAT: Final = _coefficients(_ADIPOSE, _DENSITY["fat"])
"""Linear attenuation coefficients in 1/mm at ``ENERGIES_KEV``."""


def _spectrum() -> tuple[float, ...]:
    """Share of the detector's signal at each of ``ENERGIES_KEV`` without a patient; the shares add up to 1."""
    aluminium = _coefficients(_ALUMINIUM, _DENSITY["aluminium"])
    weights = [
        (TUBE_KILOVOLT / energy - 1) * math.exp(-mu * ALUMINIUM_MM) * energy
        for energy, mu in zip(ENERGIES_KEV, aluminium, strict=True)
    ]
    return tuple(weight / sum(weights) for weight in weights)


SPECTRUM: Final = _spectrum()
"""Share of the detector's signal at each of ``ENERGIES_KEV`` without a patient."""


def line_integral(fat: Tensor, muscle: Tensor, bone: Tensor) -> Tensor:
    """Negative logarithm of the detector's signal behind the given paths: Beer-Lambert for each energy, then the sum.

    Args:
        fat: [H,W] path in mm through adipose tissue and yellow marrow.
        muscle: [H,W] path in mm through muscle and tissue with the same attenuation (skin, cartilage, meniscus, fluid).
        bone: [H,W] path in mm through compact bone, or through spongy bone with the same amount of mineral.

    Returns:
        [H,W] without unit.
    """
    signal = torch.zeros_like(fat)
    for weight, mu_fat, mu_muscle, mu_bone in zip(SPECTRUM, MU_FAT, MU_MUSCLE, MU_BONE, strict=True):
        signal += weight * torch.exp(-(mu_fat * fat + mu_muscle * muscle + mu_bone * bone))
    return -torch.log(signal)


@dataclass(frozen=True)
class Exposure:
    """How one film was exposed, and how the CR reader processes it.

    Attributes:
        level: grey value of the reference attenuation (a typical bone of the limb) before the look-up table.
        contrast: grey value per unit of line integral.
        scatter: share of scattered radiation in the dose behind the leg.
        photons: quanta per mm2 that the detector counts behind the reference attenuation.
        blur_mm: sigma of the blur by focal spot and plate, in mm at the joint.
        heel: rise of the logarithm of the intensity per 100 mm along (rows, columns): anode heel, off-center tube.
        flattening: share of the coarse structure that processing removes, 0 to 1.
        edges: gain of the fine detail; 0 for no enhancement.
        corner: sharpness of the look-up table's shoulder and toe; a large value gives a straight line that clips.
    """

    level: float
    contrast: float
    scatter: float
    photons: float
    blur_mm: float
    heel: tuple[float, float] = (0.0, 0.0)
    flattening: float = 0.0
    edges: float = 0.0
    corner: float = 5.0


def draw_exposure(generator: torch.Generator) -> Exposure:
    """Draw the exposure of a film; flat, washed-out and strongly processed films occur.

    With these ranges percentiles and spectra of regions agree with those of 71 public raw crops of OAI films
    (docs/simulation/realism.md).
    """
    u = torch.rand(10, generator=generator).tolist()
    processed = u[6] > 0.5
    return Exposure(
        level=0.64 + 0.58 * u[0] ** 1.8,
        contrast=0.20 + 0.32 * u[1],
        scatter=0.10 + 0.25 * u[2],
        photons=4.5e3 * math.exp(1.8 * u[3]),
        blur_mm=0.04 + 0.10 * u[4],
        heel=(0.10 * (u[5] - 0.5), 0.16 * (u[8] - 0.5)),
        flattening=0.4 * u[7] if processed else 0.0,
        edges=0.5 * u[9] if processed else 0.0,
        corner=4.0 + 4.0 * u[9],
    )


def exposed(total: Tensor, exposure: Exposure, reference: float, pixel_mm: float, noise: torch.Generator) -> Tensor:
    """Turn line integrals into a grey image as a CR reader shows it.

    Args:
        total: [H,W] line integrals.
        exposure: the film's exposure.
        reference: line integral that gets the grey value ``exposure.level`` (a typical bone of this limb).
        pixel_mm: pixel size in mm at the joint.
        noise: random generator of the quantum noise, on the CPU.

    Returns:
        [H,W] float32 in [0,1], bone bright.
    """
    dose = _detected(total, exposure, reference, pixel_mm, noise)
    signal = -torch.log(dose)  # 0 at the reference attenuation
    leg = smoothstep(signal, *_DIRECT)
    if exposure.flattening or exposure.edges:
        signal = _processed(signal, exposure, pixel_mm)
    return look_up(exposure.level + exposure.contrast * signal, exposure.corner) * leg


def _detected(total: Tensor, exposure: Exposure, reference: float, pixel_mm: float, noise: torch.Generator) -> Tensor:
    """Dose [H,W] on the plate, 1 at the reference attenuation, with scatter, heel effect, noise and blur."""
    # The plate saturates next to the leg: no reader covers a dose so much higher than that behind bone.
    primary = torch.exp(reference - total).clamp(max=_SATURATION)
    # Only tissue scatters: there is no scatter from the open beam or from behind lead.
    scattered = primary * (1 - torch.exp(-1.5 * total))
    veil = exposure.scatter * _coarse_blur(scattered, 14.0 / pixel_mm)
    dose = ((1 - exposure.scatter) * primary + veil) * _heel(total, exposure.heel, pixel_mm)
    quanta = exposure.photons * pixel_mm**2
    white = torch.randn(total.shape, generator=noise).to(total.device)
    granularity = _GRANULARITY_MM2 / pixel_mm**2
    dose = dose + (dose / quanta + granularity * dose.square()).sqrt() * white
    sigma = math.hypot(exposure.blur_mm / pixel_mm, _RESAMPLING_PIXELS)
    return blurred(dose, sigma, sigma).clamp_(min=0.02)


def _heel(total: Tensor, rise: tuple[float, float], pixel_mm: float) -> Tensor:
    """Factor [H,W] on the intensity, exponential along rows and columns, 1 in the middle of the film."""
    rows, columns = total.shape
    down = (torch.arange(rows) - rows / 2) * (rise[0] * pixel_mm / 100)
    across = (torch.arange(columns) - columns / 2) * (rise[1] * pixel_mm / 100)
    return torch.exp(down[:, None] + across[None, :]).to(total.device)


def _processed(signal: Tensor, exposure: Exposure, pixel_mm: float) -> Tensor:
    """Multi-frequency processing [H,W]: coarse structure is attenuated, fine structure enhanced."""
    coarse = _coarse_blur(signal, 10.0 / pixel_mm)
    fine = signal - blurred(signal, 0.9 / pixel_mm, 0.9 / pixel_mm)
    return signal - exposure.flattening * coarse + exposure.edges * fine


def _coarse_blur(image: Tensor, sigma: float) -> Tensor:
    """Wide Gaussian blur of [H,W], sigma in pixels, computed on a coarse grid."""
    small = F.avg_pool2d(image[None, None], _COARSE, ceil_mode=True, count_include_pad=False)[0, 0]
    small = blurred(small, sigma / _COARSE, sigma / _COARSE)
    size = (small.shape[0] * _COARSE, small.shape[1] * _COARSE)
    large = F.interpolate(small[None, None], size, mode="bilinear", align_corners=False)[0, 0]
    return large[: image.shape[0], : image.shape[1]]


def look_up(gray: Tensor, corner: float) -> Tensor:
    """Look-up table of a CR reader: a straight line from 0 to 1 with rounded shoulder and toe.

    Args:
        gray: [H,W] grey values.
        corner: sharpness of shoulder and toe.

    Returns:
        [H,W] in [0,1].
    """
    return ((F.softplus(corner * gray) - F.softplus(corner * (gray - 1))) / corner).clamp_(0, 1)


def reference_attenuation(total: Tensor) -> float:
    """Median line integral in the middle of the image [H,W]; automatic exposure uses this region."""
    rows, columns = total.shape
    middle = total[rows // 4 : 3 * rows // 4, columns // 4 : 3 * columns // 4]
    return float(middle.flatten().sort().values[middle.numel() // 2])
