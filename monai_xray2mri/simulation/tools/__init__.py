"""Tools that know no body part.

``lattice`` holds coarse fields and fine grids, ``primitives`` signed distances, ``noise`` smooth random fields,
``solids`` exact paths of rays through simple bodies, ``rays`` paths through signed distances, ``lettering`` letters as
strokes, ``texture`` what spongy bone looks like on a radiograph, ``beam`` what a detector shows behind given paths
through fat, muscle and bone.
"""
