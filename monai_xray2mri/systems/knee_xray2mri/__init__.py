"""Xray2MRI: a knee radiograph to an MR volume (Wang 2024a, 2024b)."""
