"""Training of the detector, the judge of regions and the KOA classifier, and their reports."""
