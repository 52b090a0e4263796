"""Many studies to many results: found once, planned once, shared out, run on any number of machines, never twice.

``sources`` and ``server`` find studies, ``planning`` checks each of them and writes a manifest, ``sharing`` divides the
work, ``work`` does one study, ``engine`` and ``on_ray`` run it, ``summary`` says what came of it, ``trial`` measures
the engines, ``scale`` computes what a larger cluster would do (docs/cohort_runs.md).
"""
