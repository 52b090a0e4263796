"""The MR examination of a simulated knee.

``scene`` holds what all painters share. ``painting`` paints the tissues from the skin inwards and uses
``bone_painting``, ``ligaments`` and ``vessels``. ``mr`` turns tissues into signal.
"""
