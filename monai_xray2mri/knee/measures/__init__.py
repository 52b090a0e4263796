"""Measures of a knee in an MR volume."""
