"""SCCDM (Wan 2025): a foot radiograph from a foot photograph, by diffusion of their difference.

So far: the denoiser (``multiscale_unet``), the refinement of sampling (``refinement``) and the difference domain
(``difference``). Feet to train on come from :mod:`monai_xray2mri.simulation.foot`.
"""
