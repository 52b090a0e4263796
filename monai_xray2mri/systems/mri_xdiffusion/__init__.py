"""X-Diffusion: an MR volume from one or a few of its slices, by diffusion of cross-sections in all directions.

What is trained and sampled is there; the contract of a system (plan, predictor, result) is not, so that the registry
does not list it yet.

=================== ==================================================================================================
module              what it holds
=================== ==================================================================================================
:mod:`.planes`      rotations and planes; the numbers of a place and of a pose
:mod:`.sections`    cross-sections of volumes with masks, and the way back (Eq. 2 and 3)
:mod:`.codec`       a codec without weights: pixels folded into channels
:mod:`.slices`      how K input slices become one (section 3.2 and appendix C.4)
:mod:`.places`      how a place and a pose condition the denoiser
:mod:`.alignment`   what the input slices show beneath and above a target plane
:mod:`.denoiser`    the U-Net with these conditions
:mod:`.network`     the diffusion of sections as one network
:mod:`.generation`  volumes from views (Eq. 3)
:mod:`.volumes`     volume files with their geometry, and the cube
:mod:`.data`        training sections of cones and of stored volumes
=================== ==================================================================================================
"""
