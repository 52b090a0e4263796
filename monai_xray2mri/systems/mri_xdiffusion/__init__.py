"""X-Diffusion, an MR volume from one or a few of its slices: its geometry. The registry does not list the system yet.

=================== ==================================================================================================
module              what it holds
=================== ==================================================================================================
:mod:`.planes`      rotations and planes; the numbers of a place and of a pose
:mod:`.sections`    cross-sections of volumes with masks, and the way back (Eq. 2 and 3)
=================== ==================================================================================================
"""
