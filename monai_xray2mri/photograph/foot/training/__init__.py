"""Training of the foot segmenter: ``limbs`` draws what is no foot from above, ``scenes`` composes photographs."""
