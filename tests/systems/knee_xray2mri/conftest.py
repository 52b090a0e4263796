"""Fixtures of this folder."""

from tests.helpers.gradings import film, left, make_film, right  # noqa: F401
