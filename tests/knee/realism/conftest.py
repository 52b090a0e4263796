"""Fixtures of this folder."""

from tests.helpers.knees import knee, lesioned_knee, narrow_knee, other_knee, reexamined, slab  # noqa: F401
