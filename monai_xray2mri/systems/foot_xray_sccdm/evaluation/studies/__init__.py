"""Studies of SCCDM, a module each."""
