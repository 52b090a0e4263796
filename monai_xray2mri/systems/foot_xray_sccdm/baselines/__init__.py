"""What SCCDM is compared with on the same data.

========================== ===========================================================================================
module                     what it holds
========================== ===========================================================================================
:mod:`.given`              what a method is given of a foot
:mod:`.untrained`          the photograph itself, mean radiograph, another radiograph, that of the nearest photograph
:mod:`.direct`             the same U-Net in one call, trained for the squared error
:mod:`.scale_conditioned`  MSF-DDPM: the condition enters at several scales
:mod:`.adversarial`        pix2pix and CycleGAN
========================== ===========================================================================================

The other variants are configurations of the system's own network (``recipe_variants.json`` of the bundle).
"""
