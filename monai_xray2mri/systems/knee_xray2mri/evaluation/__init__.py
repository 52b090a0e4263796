"""Studies of the knee systems."""
