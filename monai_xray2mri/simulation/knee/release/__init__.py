"""A simulated release in the shape of OAI's: radiographs, MR series, tables, and beside them the truth."""
