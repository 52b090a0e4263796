"""One simulated knee from a seed, and the rooms that make it, in the order of the work.

========== ===========================================================================================================
room       what it makes
========== ===========================================================================================================
people     who it is: seeds in disjoint ranges, grades, participants, the tables of OAI about them
anatomy    bones fitted to a real knee, varied by shape and grades, in the pose of one examination; the truth about them
mri        the MR volume: skin, muscles, ligaments, vessels, bones and lesions are painted, then imaged
xray       the radiograph of one joint: mineral along the rays, trabeculae, beam, detector
film       the film of a patient, both knees, as departments make it, with markers, collimation and metal
release    participants in the folders and tables of OAI, and in a folder of its own the truth
========== ===========================================================================================================

:mod:`~monai_xray2mri.simulation.knee.knee` puts anatomy, MR and radiograph of one knee together.
"""
