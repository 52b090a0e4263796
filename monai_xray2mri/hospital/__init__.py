"""The worker beside Orthanc: knows which studies have no answer yet, makes it, stores it and sends it on.

It is level-triggered: work is what Orthanc holds and no state says done, see :mod:`~monai_xray2mri.hospital.worker`.
It knows systems by their contract only, and no part of the body.
"""
