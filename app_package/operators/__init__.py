"""The app's own operators; each hands its input to one function of the package."""
