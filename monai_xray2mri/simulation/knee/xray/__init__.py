"""The X-ray examination of one joint.

``mineral`` and ``trabeculae`` are what the rays meet in bone, ``radiography`` projects them, ``beam`` makes a picture
of the projection.
"""
