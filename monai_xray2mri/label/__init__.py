"""MONAI Label: the bundles in its own app, an app of ours, and a module for 3D Slicer (docs/label/slicer.md)."""
