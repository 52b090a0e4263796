"""A simulated release in the shape of OAI's: radiographs, MR series, tables, and in a folder of its own the truth.

``settings`` is what it is made of, ``layout`` where everything lies, ``plan`` what there is to do, ``run`` does it,
participant by participant, with ``writer``. ``header``, ``film_dicom`` and ``mr_dicom`` make the images' files,
``tables`` the tables, ``truth_files`` the truth; ``display`` and ``oddities`` follow what OAI's films are like.
"""
