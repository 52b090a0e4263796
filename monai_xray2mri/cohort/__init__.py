"""Many studies to many results: found once, planned once, shared out, run on any number of machines, never twice.

``sources`` finds studies, ``planning`` checks each of them into a ``manifest``, ``sharing`` divides the work,
``work`` does one study, ``local`` and ``on_ray`` run it, ``summary`` says what came of it, ``scale`` computes
what a larger cluster would do (docs/cohort_runs.md).
"""
