"""Training data of X-Diffusion: sections in all directions, drawn while the network trains.

==================== =================================================================================================
module               what it holds
==================== =================================================================================================
:mod:`.sources`      what sections are drawn from: cones as functions, stored volumes
:mod:`.stream`       batches: target, input slices, poses, mask (Eq. 2)
:mod:`.store`        volumes in a cube, on the disk
:mod:`.making`       stages of a recipe that fill a store: simulated knees, Fourier-masked cones
:mod:`.sheets`       pictures of a training
==================== =================================================================================================
"""
