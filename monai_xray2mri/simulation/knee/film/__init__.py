"""Bilateral films as departments make them."""
