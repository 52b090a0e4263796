"""X-Diffusion: an MR volume from one or a few of its slices, by diffusion of cross-sections in all directions.

====================== ===============================================================================================
module                 what it holds
====================== ===============================================================================================
:mod:`.system`         the contract: what may be chosen (:mod:`.options`), :mod:`.plan`, :mod:`.predictor`
:mod:`.plan`           from a file or folder to slices that have passed all checks (:mod:`.case`)
:mod:`.framing`        where the cube lies in the patient
:mod:`.drawing`        from given slices to views of their volume, for every caller
:mod:`.output`         what is written (:mod:`.result`, :mod:`.products`)
:mod:`.transforms`     MONAI's parts of the bundle
:mod:`.planes`         rotations and planes; the numbers of a place and of a pose
:mod:`.sections`       cross-sections of volumes with masks, and the way back (Eq. 2 and 3)
:mod:`.codec`          a codec without weights: pixels folded into channels
:mod:`.slices`         how K input slices become one (section 3.2 and appendix C.4)
:mod:`.places`         how a place and a pose condition the denoiser
:mod:`.alignment`      what the input slices show beneath and above a target plane
:mod:`.denoiser`       the U-Net with these conditions
:mod:`.network`        the diffusion of sections as one network
:mod:`.generation`     volumes from views (Eq. 3)
:mod:`.augmentation`   slices changed in their plane, results changed back (appendix D.9)
:mod:`.refinement`     estimates of z_0 that are optimized while a section is drawn (appendix D.17)
:mod:`.volumes`        volume files with their geometry, and the cube
:mod:`.data`           training sections of cones and of stored volumes
:mod:`.baselines`      what X-Diffusion is compared with
====================== ===============================================================================================
"""
