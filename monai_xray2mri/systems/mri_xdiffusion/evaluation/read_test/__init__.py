"""The reading study that X-Diffusion plans (appendix D.2): experts grade real and generated volumes without being told.

============== =======================================================================================================
module         what it holds
============== =======================================================================================================
:mod:`.pairs`  pairs of volumes in random order, and pictures of their sections
:mod:`.scores` what readers answered, as CSV, and what follows from it
:mod:`.page`   the page of a pair
:mod:`.server` the local server
============== =======================================================================================================
"""
