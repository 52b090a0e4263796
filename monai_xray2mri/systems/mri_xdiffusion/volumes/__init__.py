"""Volumes: files with their geometry (:mod:`.reading`), and the cube that networks see (:mod:`.cube`)."""
