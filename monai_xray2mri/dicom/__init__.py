"""DICOM objects that this package writes, and the one walker of structured-report trees."""
