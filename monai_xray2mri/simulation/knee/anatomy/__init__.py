"""Anatomy of one knee in one examination, and its truth."""
