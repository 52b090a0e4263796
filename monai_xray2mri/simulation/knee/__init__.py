"""Simulated knees with known anatomy and known truth."""
