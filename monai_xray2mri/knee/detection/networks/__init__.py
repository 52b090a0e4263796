"""Networks that look at radiographs of knees."""
