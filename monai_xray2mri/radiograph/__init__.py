"""Knee radiographs: reading, polarity, laterality, the region around the joint, input checks."""
