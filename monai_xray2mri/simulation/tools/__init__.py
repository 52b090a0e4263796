"""Tools that know no body part: lattices, distances, noise, solids, lettering."""
