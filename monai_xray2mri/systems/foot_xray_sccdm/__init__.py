"""SCCDM (Wan 2025): a foot radiograph from a foot photograph, by diffusion of their difference.

======================== =============================================================================================
module                   what it holds
======================== =============================================================================================
:mod:`.system`           the contract: what may be chosen (:mod:`.options`), :mod:`.plan`, :mod:`.predictor`
:mod:`.plan`             from a photograph or a study to feet that have passed all checks (:mod:`.case`)
:mod:`.drawing`          from a photograph to samples of its radiograph, for every caller
:mod:`.lead_letter`      letters that a network writes because films bear them, removed
:mod:`.angles`           hallux valgus and intermetatarsal angle with their interval, from :mod:`.keypoints`
:mod:`.output`           what is written (:mod:`.result`, :mod:`.products`, :mod:`.pictures`, :mod:`.result_page`,
                         :mod:`.result_report`)
:mod:`.transforms`       MONAI's parts of the bundle
:mod:`.multiscale_unet`  the denoiser
:mod:`.refinement`       what sampling does to each step (Algorithm 1)
:mod:`.difference`       the difference domain (Eq. 9)
:mod:`.network`          all of them as one network
:mod:`.keypoints`        where ten points of a radiograph are, and how sure that is
:mod:`.data`             training pairs
======================== =============================================================================================

Feet come from :mod:`monai_xray2mri.photograph`, simulated ones from :mod:`monai_xray2mri.simulation.foot`.
"""
