"""The X-ray examination of one joint.

``mineral`` and ``trabeculae`` give the bone along the rays, ``radiography`` computes the line integrals of attenuation;
:mod:`~monai_xray2mri.simulation.tools.beam` turns line integrals into an image.
"""
