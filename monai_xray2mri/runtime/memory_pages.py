"""Pages of memory for tensors on a CPU."""

from __future__ import annotations

import os


def use_huge_pages() -> None:
    """Have PyTorch ask for huge pages where Linux has them; call it before the first tensor is made.

    A training step makes and drops hundreds of tensors of some megabytes, and so does a step of sampling. With pages of
    4 KB a seventh of the training step goes into making them present (docs/training/speed.md), a twentieth of a volume
    (docs/speed.md). A value that the user has set stays; processes that are started afterwards have it too.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
