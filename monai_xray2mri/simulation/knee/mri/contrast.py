"""MR signal of the simulated knee: coronal T1-weighted FLASH with water excitation, as OAI's COR_T1_3D_FLASH.

TR 20 ms, TE 7.57 ms, flip angle 12 degrees, 80 slices of 1.5 mm, field of view 160 mm (Peterfy et al., Osteoarthritis
Cartilage 2008;16:1433; Table 1 of PMC5871621), quadrature transmit-receive knee coil at 3 T. Spoiled gradient echo in
steady state (Ernst): S = PD sin(a) (1 - E1) / (1 - cos(a) E1) exp(-TE/T2*), E1 = exp(-TR/T1).

Published at 3 T:
- T1 of muscle is 1420 ms, of synovial fluid 3620 ms, of subcutaneous fat 371 ms, of marrow fat 365 ms (Gold et al., AJR
  2004;183:343). T1 of cartilage is 1240 ms in that paper and 855 to 946 ms by compartment in PMC7016502; this module
  uses 1000 ms. T1 of menisci is 600 ms in PMC7016502.
- T2* of menisci is 6.0 ms, of patellar tendon 2.9 ms, of the anterior cruciate ligament 8.4 ms, of the posterior one
  8.9 ms (multi-echo SPGR, 18 knees, Trattnig's group). With ultrashort echoes the posterior one's is 30 % shorter than
  the anterior one's (Acta Radiologica 2021, doi 10.1177/02841851211043834).
- T2 of cartilage is 36 ms, of muscle 34 ms (PMC2849643). Signal of cartilage decays with 27 ms in 3-D turbo-FLASH
  (PMC5711646); this module takes that as T2* of cartilage.
- Blood in the popliteal artery flows at about 28 cm/s at peak systole, as a mean over the lumen (PubMed 29247167).

Estimated by the authors of this package:
- T2* of menisci (3.5 ms) and of the cruciate ligaments (6 ms, 3.5 ms). With the published means they would be no darker
  than the adjacent fat, and in images of this sequence they are darker.
- Proton densities (about the water content), and T2* of muscle, fluid, blood, skin and marrow.
- Mean flow (11 cm/s in the artery, 5 cm/s in the vein).
- Signal of fatty tissue under water excitation, and the size of field inhomogeneity, shading and noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

REPETITION_MS: Final = 20.0
ECHO_MS: Final = 7.57
FLIP_DEGREES: Final = 12.0
FULL_SCALE: Final = 0.068
"""Signal that maps to intensity 1: one scale for all knees."""
_BLOOD_T1_MS: Final = 1932.0
_FLOW_MM_PER_S: Final = {"artery": 110.0, "vein": 50.0}


# T1 in ms, T2* in ms, proton density, share of water in that density. The rest of it is fat, of which water excitation
# leaves the share that ``mr.fat_left`` gives.
_CONSTANTS: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "skin": (900, 10, 0.65, 1.0),
    "fat": (371, 25, 0.90, 0.0),
    "muscle": (1420, 22, 0.76, 1.0),
    "nerve": (1100, 18, 0.70, 0.7),
    "fluid": (3620, 200, 1.00, 1.0),
    "tendon": (1000, 2.9, 0.65, 1.0),
    "septum": (1000, 6.5, 0.60, 0.8),
    "meniscus": (600, 3.5, 0.55, 1.0),
    "anterior cruciate": (1000, 6.0, 0.55, 1.0),
    "posterior cruciate": (1000, 3.5, 0.50, 1.0),
    "cartilage": (1000, 27, 0.75, 1.0),
    "cortex": (300, 0.5, 0.20, 1.0),
    "marrow": (365, 13, 0.90, 0.0),
    "red marrow": (900, 13, 0.60, 1.0),
    "sclerosis": (700, 3.0, 0.35, 0.4),
    "cyst": (2600, 60, 0.95, 1.0),
    "crystals": (1000, 3.0, 0.45, 1.0),
    "attrition": (1500, 18, 0.75, 1.0),
    "synovium": (1200, 25, 0.80, 0.8),
}


def spoiled_gradient_echo(t1_ms: float, t2_star_ms: float, proton_density: float) -> float:
    """Steady-state signal of a spoiled gradient echo with this module's TR, TE and flip angle; no unit.

    Args:
        t1_ms: longitudinal relaxation time in ms.
        t2_star_ms: effective transverse relaxation time in ms.
        proton_density: relative to water.
    """
    angle = math.radians(FLIP_DEGREES)
    e1 = math.exp(-REPETITION_MS / t1_ms)
    return proton_density * math.sin(angle) * (1 - e1) / (1 - math.cos(angle) * e1) * math.exp(-ECHO_MS / t2_star_ms)


def inflow(kind: str, travelled_mm: Tensor) -> Tensor:
    """Intensity of flowing blood, of the shape of ``travelled_mm``.

    Blood enters the coil with equilibrium magnetization and gets one pulse every TR. With each pulse its distance from
    the steady state shrinks by the factor cos(a) E1, so fresh blood is bright. Dephasing along the read-out removes
    half of the signal; that half is an estimate.

    Args:
        kind: ``"artery"`` or ``"vein"``.
        travelled_mm: distance in mm that the blood has traveled inside the coil.
    """
    angle, e1 = math.radians(FLIP_DEGREES), math.exp(-REPETITION_MS / _BLOOD_T1_MS)
    decay = math.cos(angle) * e1
    steady = (1 - e1) / (1 - decay)
    pulses = travelled_mm.clamp(min=0) / (_FLOW_MM_PER_S[kind] * REPETITION_MS / 1000)
    magnetization = steady + (1 - steady) * torch.exp(math.log(decay) * pulses)
    return 0.5 * 0.85 * math.sin(angle) * math.exp(-ECHO_MS / 30.0) / FULL_SCALE * (magnetization + steady)


@dataclass(frozen=True)
class Contrast:
    """How bright each tissue is in a sequence.

    Attributes:
        intensity: name of a tissue to its intensity without noise and shading; of ``"fat"`` and ``"marrow"`` the whole
            signal of their fat.
        fat_water: fatty tissue to the share of its signal that fat suppression keeps everywhere; None where fat is not
            suppressed.
        blood: intensity of flowing blood; None where it follows from the way that it has traveled (:func:`inflow`).
    """

    intensity: Mapping[str, float]
    fat_water: Mapping[str, float] | None
    blood: float | None

    def __getitem__(self, tissue: str) -> float:
        """Intensity of a tissue."""
        return self.intensity[tissue]

    def fatty(self, kind: str, left: Tensor) -> Tensor:
        """Intensity of ``"fat"``, ``"fat pad"`` or ``"marrow"``.

        Args:
            kind: which of them.
            left: share of the fat signal that suppression leaves, any shape.
        """
        whole = self.intensity["marrow" if kind == "marrow" else "fat"]
        return torch.full_like(left, whole) if self.fat_water is None else whole * (self.fat_water[kind] + left)

    def flowing(self, kind: str, travelled_mm: Tensor) -> Tensor:
        """Intensity of blood of an ``"artery"`` or a ``"vein"`` along its way in the coil."""
        return inflow(kind, travelled_mm) if self.blood is None else torch.full_like(travelled_mm, self.blood)


WATER_EXCITED_FLASH: Final = Contrast(
    intensity={
        name: (water or 1.0) * spoiled_gradient_echo(t1, t2, density) / FULL_SCALE
        for name, (t1, t2, density, water) in _CONSTANTS.items()
    },
    # Water and olefinic fat, which water excitation keeps.
    fat_water={"fat": 0.12, "fat pad": 0.14, "marrow": 0.18},
    blood=None,
)
"""The sequence of the simulated examination."""
T1_TURBO_SPIN_ECHO: Final = Contrast(
    intensity={
        "skin": 0.45,
        "fat": 0.95,
        "muscle": 0.26,
        "nerve": 0.35,
        "fluid": 0.22,
        "tendon": 0.08,
        "septum": 0.35,
        "meniscus": 0.13,
        "anterior cruciate": 0.25,
        "posterior cruciate": 0.12,
        "cartilage": 0.36,
        "cortex": 0.06,
        "marrow": 0.92,
        "red marrow": 0.0,
        "sclerosis": 0.2,
        "cyst": 0.25,
        "crystals": 0.12,
        "attrition": 0.28,
        "synovium": 0.35,
    },
    fat_water=None,
    blood=0.08,
)
"""Bright fat without flow: estimates by eye. Only for comparing texture and outlines with a real T1-weighted series."""
