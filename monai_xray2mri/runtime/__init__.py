"""How the machine is used: files, workers, devices, interruption, optional libraries."""
