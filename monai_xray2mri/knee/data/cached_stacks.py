"""Batches of stacks of a cache: neighboring slices of one knee, for a denoiser that mixes them."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from monai_xray2mri.knee.data.cached_latents import CachedLatents


class CachedStacks(CachedLatents):
    """Whole batches of stacks; an item of this set is a list of numbers of its stacks.

    A batch is as of slices (:class:`~monai_xray2mri.knee.data.cached_latents.CachedLatents`), and what
    :class:`~monai_xray2mri.training.stacks.StackDiffusion` expects: the slices of a stack follow each other, by depth,
    with one look at the film and one guide; the stacks of twins come last.
    """

    def __len__(self) -> int:
        """Number of stacks as drawn."""
        return super().__len__() // self.cache.stack

    def __getitem__(self, items: Sequence[int]) -> dict[str, Tensor]:
        """The stacks of these numbers, for a ``DataLoader`` with ``batch_size=None``."""
        return self._batch([item * self.cache.stack for item in items], self.cache.stack)
