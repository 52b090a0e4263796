"""The wing of the knee: what several knee systems share."""
