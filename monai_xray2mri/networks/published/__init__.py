"""Published checkpoints, read without running their pickle."""
