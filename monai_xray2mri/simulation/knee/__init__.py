"""One simulated knee from a seed.

The folders, in the order of the work:

========== ===========================================================================================================
folder     what it makes
========== ===========================================================================================================
people     whose knee it is: seeds in disjoint ranges, grades, participants, OAI's tables about them
anatomy    bones fitted to a real knee, varied by shape and grades, in the pose of one examination; the truth about them
mri        the MR volume: skin, muscles, ligaments, vessels, bones and lesions are painted, then imaged
xray       the radiograph of one joint: mineral along the rays, trabeculae, beam, detector
film       the film of both knees of a patient, with markers, collimation and metal
release    a release with the folders and tables of OAI; the truth lies in a folder of its own
========== ===========================================================================================================

:mod:`~monai_xray2mri.simulation.knee.knee` makes anatomy, MR volume and radiograph of one knee.
"""
