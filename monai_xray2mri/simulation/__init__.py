"""Simulated bodies with known truth: the project's own training data.

========================================== ============================================================================
``simulation/knee/``                       a knee; its folders people, anatomy, mri, xray, film, release in that order
``simulation/foot/``                       a foot: photograph and dorsoplantar radiograph
``simulation/cones.py``                    cones as functions: volumes that are no body
``simulation/tools/``                      tools for any body part: lattices, distances, noise, solids, lettering
========================================== ============================================================================

Simulators read no radiograph and load no network.

Example:
    >>> from monai_xray2mri.simulation import TRAINING, simulate_knee
    >>> knee = simulate_knee(TRAINING.start)  # doctest: +SKIP
    >>> knee.volume.shape, knee.radiograph.shape  # doctest: +SKIP
    ((80, 256, 256), (299, 299))
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "LESION_ENRICHED",
    "SIMULATOR_VERSION",
    "TEST",
    "TRAINING",
    "VALIDATION",
    "SimulatedKnee",
    "Tissue",
    "simulate_film",
    "simulate_knee",
    "simulate_radiograph",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "LESION_ENRICHED": "knee.people.seeds",
        "SIMULATOR_VERSION": "knee.people.seeds",
        "TEST": "knee.people.seeds",
        "TRAINING": "knee.people.seeds",
        "VALIDATION": "knee.people.seeds",
        "SimulatedKnee": "knee.knee",
        "Tissue": "knee.mri.mr",
        "simulate_film": "knee.film.film",
        "simulate_knee": "knee.knee",
        "simulate_radiograph": "knee.knee",
    },
)
