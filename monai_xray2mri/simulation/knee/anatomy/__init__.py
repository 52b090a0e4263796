"""Anatomy of one knee in one examination, and the truth about it.

``template`` is fitted to a real knee, ``shape`` draws what varies, ``pathology`` says what a grade does. ``bones``
and ``knee_anatomy`` build the anatomy, ``body`` and ``muscles`` what is around the bones. ``measurement`` takes the
truth from the anatomy, ``truth`` holds it.
"""
