"""Anatomy of one knee in one examination, and the truth about it.

``template`` is fitted to a real knee, ``shape`` draws the variation between knees, ``pathology`` says what each grade
does. ``bones``, ``disease`` and ``knee_anatomy`` build bones, cartilage and menisci; ``body``, ``bellies`` and
``muscles`` build the soft tissue around them. ``measurement`` measures the truth on the anatomy, ``truth`` is its
record.
"""
