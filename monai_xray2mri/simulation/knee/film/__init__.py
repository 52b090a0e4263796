"""Films of both knees of a patient, with the variety of films in hospitals.

``pair`` draws the left knee that belongs to a right one. ``film_options`` holds the options of a film (format, markers,
collimation, faults, metal) and ``random_options`` draws them, ``film_projection`` projects both legs, ``film_parts``
and ``hardware`` add markers and metal, ``film_frame`` maps positions to pixels. ``film`` makes the film from these,
``film_dicom`` writes the file.
"""
