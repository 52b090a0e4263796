"""One folder per published system, named as its bundle."""
