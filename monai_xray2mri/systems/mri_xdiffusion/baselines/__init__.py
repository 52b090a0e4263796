"""What X-Diffusion is compared with on the same data.

======================= ==============================================================================================
module                  what it holds
======================= ==============================================================================================
:mod:`.given`           what a method is given of a volume
:mod:`.untrained`       zero volume, mean volume, another volume, nearest volume by the input slices
:mod:`.interpolation`   linear interpolation of the given slices
:mod:`.exploding`       the process in which the three below work, and its reverse steps
:mod:`.score_mri`       ScoreMRI (Chung and Ye 2022) on interpolated slices (X-Diffusion, appendix D.3)
:mod:`.perpendicular`   two perpendicular networks in turns (TPDM; Lee et al. 2023)
:mod:`.total_variation` DiffusionMBIR (Chung et al. 2023), for compressed sensing
:mod:`.undersampling`   lines of k-space that were not measured
======================= ==============================================================================================

The networks of the last ones are trained by ``train_baseline_plane_0.json`` and ``train_baseline_plane_2.json`` of the
bundle: no slice is given, and sections are of one plane.
"""
