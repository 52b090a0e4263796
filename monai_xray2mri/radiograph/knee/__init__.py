"""The knee on a radiograph: region, joint, checks."""
