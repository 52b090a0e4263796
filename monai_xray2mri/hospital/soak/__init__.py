"""An hour of a hospital in which everything breaks: ``xray2mri benchmark soak``.

A real Orthanc, real workers, a destination that misbehaves; faults are drawn from a seed. At the end every study is
judged.
"""
