"""What the simulated knees are judged by."""
