"""Noise schedules, samplers, slices to volume."""
