"""Films of both knees of a patient, as departments make them.

``pair`` draws the left knee that belongs to a right one. ``film_options`` draws what a film is like,
``film_projection`` projects both legs, ``film_parts`` and ``hardware`` add what else is on it, ``film_frame`` says
where it lies. ``film`` puts these together, ``film_dicom`` writes the file.
"""
