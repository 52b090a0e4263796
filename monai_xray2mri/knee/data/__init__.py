"""Training sets and MONAI transforms."""
