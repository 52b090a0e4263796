"""The word SYNTHETIC in the pixels."""

from __future__ import annotations

import numpy as np

from monai_xray2mri.dicom.burn_in import burn_in, word_mask


def test_the_word_reads_from_left_to_right():
    drawn = ["".join("#" if pixel else "." for pixel in row) for row in word_mask("THE")]
    assert drawn == [
        "...................",
        ".#####.#...#.#####.",
        "...#...#...#.#.....",
        "...#...#...#.#.....",
        "...#...#####.####..",
        "...#...#...#.#.....",
        "...#...#...#.#.....",
        "...#...#...#.#####.",
        "...................",
    ]


def test_letters_are_white_on_black_at_the_lower_left_and_grow_with_the_image():
    gray = np.full((3, 512, 512), 1000, np.uint16)
    labeled = burn_in(gray, white=4095)
    rows, columns = np.nonzero(labeled[1] != 1000)
    assert (rows.min(), rows.max(), columns.min()) == (492, 509, 2)
    assert set(np.unique(labeled)) == {0, 1000, 4095}
    assert np.array_equal(labeled[0], labeled[2])
    assert (gray == 1000).all()


def test_a_slice_that_is_too_small_keeps_its_pixels():
    small = np.full((1, 16, 16), 7, np.uint16)
    assert np.array_equal(burn_in(small, white=4095), small)
