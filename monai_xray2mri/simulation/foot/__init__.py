"""A weight-bearing foot with known truth: photograph from above and dorsoplantar radiograph.

``people`` says which seeds there are, ``shape`` draws the variation between feet, ``skeleton`` places 26 bones and two
sesamoids, ``bones`` gives their surfaces, ``skin`` the surface of the foot. ``frame`` says how points come onto the
pictures, ``radiograph`` and ``photograph`` make these, ``truth`` is the record of keypoints, angles and masks, ``foot``
puts all of it together.
"""
