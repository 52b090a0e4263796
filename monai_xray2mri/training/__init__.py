"""The training engine: MONAI's trainers by a bundle's configurations, and one loop for small networks.

A step is the same however it is divided, and a run that was interrupted ends as one that was not. The engine knows
autoencoders, denoisers and images; what they show stands with the data that a configuration names.

=====================  ==============================================================================================
module                 what it holds
=====================  ==============================================================================================
:mod:`.order`          which images a step sees, with which random numbers (``Division``, ``BatchOrder``, ``Stream``)
:mod:`.processes`      what several processes agree on
:mod:`.autoencoder`    first stage: crops, loss
:mod:`.denoiser`       second stage: keys of a batch, noise, dropout of conditions, loss
:mod:`.stacks`         second stage: stacks of slices that hear each other
:mod:`.reconstruction` second stage: the loss through the decoder
:mod:`.average`        moving average of weights (``AveragedWeights``)
:mod:`.checkpoint`     everything that the next step depends on (``RunCheckpoint``)
:mod:`.handlers`       log (``RunLog``), end after steps or minutes (``EndOfRun``), precision
:mod:`.rates`          learning rates by step
:mod:`.watch`          validation, best weights, pictures
:mod:`.weights`        weights on disk
:mod:`.store`          training sets on disk (``ArrayStore``)
:mod:`.configurations` the files of a training configuration
:mod:`.dry_run`        what a step costs
:mod:`.small_networks` all of it for networks that need neither a configuration nor a GPU (``SmallTraining``)
=====================  ==============================================================================================

``AveragedWeights``, ``RunCheckpoint`` (``save``, ``restore``), ``RunLog`` (``add``) and ``EndOfRun`` (``reached``) also
serve a loop without MONAI's engine.
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "ArrayStore",
    "AveragedWeights",
    "ConditionalDenoising",
    "Division",
    "EndOfRun",
    "ForwardDiffusion",
    "RunCheckpoint",
    "RunLog",
    "SmallTraining",
    "configuration_files",
    "measure_step",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "ArrayStore": "store",
        "AveragedWeights": "average",
        "ConditionalDenoising": "denoiser",
        "Division": "order",
        "EndOfRun": "handlers",
        "ForwardDiffusion": "denoiser",
        "RunCheckpoint": "checkpoint",
        "RunLog": "handlers",
        "SmallTraining": "small_networks",
        "configuration_files": "configurations",
        "measure_step": "dry_run",
    },
)
