"""Simulated knees with known anatomy and known truth: the project's own training data.

``simulate_knee(seed)`` of :mod:`monai_xray2mri.simulation.knee.knee` makes one right knee as MR volume, labels and
joint radiograph; :mod:`~monai_xray2mri.simulation.knee.film.film` makes the bilateral film of a patient, and
:mod:`~monai_xray2mri.systems.knee_xray2mri.example_study` an example study in DICOM.
"""
