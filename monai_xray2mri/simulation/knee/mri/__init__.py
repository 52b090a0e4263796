"""The MR examination.

``scene`` is what the painters share; ``painting`` paints the tissues from the skin inwards with ``bone_painting``,
``ligaments`` and ``vessels``; ``mr`` turns tissues into signal.
"""
