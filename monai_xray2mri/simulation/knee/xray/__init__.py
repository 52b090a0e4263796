"""The X-ray examination."""
