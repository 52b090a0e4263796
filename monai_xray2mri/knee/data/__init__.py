"""Training sets of knees: what is kept of a knee, how it is looked at, and knees that are simulated meanwhile.

====================  ============================================================================================
module                what it holds
====================  ============================================================================================
:mod:`.arrays`        a knee's arrays and geometry; ``KneeStore``, the set on the disk
:mod:`.slices`        slices of a stored set, to train on or to watch training by
:mod:`.latents`       their latents, encoded once
:mod:`.simulated`     stored sets of simulated knees
:mod:`.on_the_fly`    batches of knees that are simulated while a network trains
:mod:`.jitter`        the error of the box around a joint
====================  ============================================================================================

Example:
    >>> from monai_xray2mri.knee.data import TrainingSlices
    >>> slices = TrainingSlices("simulated_knees", lesion_weight=8.0)  # doctest: +SKIP
    >>> sorted(slices[0])  # doctest: +SKIP
    ['guide', 'image', 'knee', 'place', 'target', 'weight']
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "GEOMETRY",
    "KNEE_ARRAYS",
    "BoxJitter",
    "KneeStore",
    "LatentSlices",
    "SimulatedStream",
    "TrainingSlices",
    "ValidationSlices",
    "simulate_training_set",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "GEOMETRY": "arrays",
        "KNEE_ARRAYS": "arrays",
        "BoxJitter": "jitter",
        "KneeStore": "arrays",
        "LatentSlices": "latents",
        "SimulatedStream": "on_the_fly",
        "TrainingSlices": "slices",
        "ValidationSlices": "slices",
        "simulate_training_set": "simulated",
    },
)
