"""Sub-commands of ``xray2mri``, one module each; :mod:`monai_xray2mri.cli` collects them."""
