"""What a system is: the contract, bundles, calibration, volumes, identity."""
