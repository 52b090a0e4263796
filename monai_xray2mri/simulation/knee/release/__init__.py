"""A simulated release with the layout of OAI's: radiographs, MR series and tables; the truth has a folder of its own.

``settings`` holds the settings of a release, ``layout`` the paths. ``plan`` finds the participants that are missing,
``run`` makes them, and ``writer`` writes one of them. ``header``, ``film_dicom`` and ``mr_dicom`` make DICOM datasets,
``tables`` the tables, ``truth_files`` the files of the truth. ``oddities`` draws the irregularities of OAI's image
files, ``display`` converts positions to the usual orientation of a film.
"""
