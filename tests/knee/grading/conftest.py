"""Fixtures of this folder."""

from tests.helpers.gradings import dciodvfy, film, left, make_film, right  # noqa: F401
