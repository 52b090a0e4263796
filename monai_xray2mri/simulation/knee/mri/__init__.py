"""The MR examination."""
