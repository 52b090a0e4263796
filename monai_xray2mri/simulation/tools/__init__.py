"""Tools that know no body part.

``lattice`` holds coarse fields and fine grids, ``primitives`` signed distances, ``noise`` smooth random fields,
``solids`` exact paths of rays through simple bodies, ``lettering`` letters as strokes.
"""
