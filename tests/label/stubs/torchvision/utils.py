"""The two names that MONAI Label imports."""


def make_grid(*_, **__):
    raise NotImplementedError


save_image = make_grid
