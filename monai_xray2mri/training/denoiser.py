"""Second stage of Wang 2024a, Algorithm 1: the denoiser (Eq. 10), with condition dropout.

Whatever is generated, a batch holds, for B images:

==================  ==============  =======================================================================
key                 shape           meaning
==================  ==============  =======================================================================
``target``          [B,1,H,W]       the image to generate, in [-1,1]; or
``latent``          [B,C,h,w]       its latent as the autoencoder gives it, before the network's latent scale
``image``           [B,1,H,W]       the image it is generated from, in [-1,1]; or several, as a network takes them
``image_latent``    [B,C,h,w]       latent of that image, not scaled either; comes with ``latent``
``image_of``        [B]             which image each target is generated from, where images are fewer, F
                                    instead of B: each is then encoded once; not there: each its own
``place``           [B] or [B,P]    where the target lies; not there: nowhere in particular
``guide``           [B,G]           what guides the up path, as far as the data know it; not there: unknown
``weight``          [B,1,h,w]       weight of the squared error where the guide is given (with
                                    ``counterfactual``: where all of it is); not there: 1
``counterfactual``  [B]             1 where the target was made for its guide instead of being found with
                                    it: nothing of the guide is dropped there; not there: 0 everywhere
``mask``            [B,1,H,W]       1 where the target is known; what of the latent is not known counts nowhere
                                    (``known_cells`` of the network); not there: all is known
==================  ==============  =======================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, Self

import torch
from torch import Tensor, nn

from monai_xray2mri.diffusion.guidance import Condition
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.errors import UsageError
from monai_xray2mri.networks.layout import keep_layout
from monai_xray2mri.training.compiling import compile_evaluation
from monai_xray2mri.training.order import Division


class ConditionedNetwork(Protocol):
    """What this stage needs of a network.

    A :class:`~monai_xray2mri.diffusion.latent_diffusion.LatentDiffusion` has all of it but the image encoder, the
    latent of an image with its scale, and the guide.
    """

    schedule: NoiseSchedule
    latent_scale: Tensor
    null_context: Tensor
    denoiser: Any

    @property
    def image_encoder(self) -> nn.Module:
        """Context tokens [B,N,width] of images [B,1,H,W]."""
        ...

    @property
    def image_latent_scale(self) -> Tensor | float:
        """Factor of an image's latent, as ``latent_scale`` is that of a target's."""
        ...

    def encode(self, image: Tensor) -> Tensor:
        """Scaled latents [B,C,h,w] of targets [B,1,H,W]."""
        ...

    def known_cells(self, mask: Tensor) -> Tensor:
        """Which of a latent's numbers are known where pixels are (1 in masks [B,1,H,W]): 1 or 0, to be broadcast."""
        ...

    def image_latent(self, image: Tensor, /) -> Tensor:
        """Scaled latents [B,C,h,w] of images [B,1,H,W]."""
        ...

    def guide_of(self, image: Tensor, given: Tensor | None, /) -> Tensor:
        """The guide [B,G]: what is given of it, and what the network itself reads in the images [B,1,H,W]."""
        ...

    def denoise(self, z_t: Tensor, t: Tensor, condition: Condition, place: Tensor) -> Tensor:
        """The denoiser's prediction [B,C,h,w]."""
        ...


class ConditionalDenoising(nn.Module):
    """What is trained of a network: denoiser, image encoder and reader, if there is one, under the network's names.

    The autoencoder stays frozen, and so does whatever reads a guide in the image: neither is a part of this module.

    Args:
        network: what is trained.
        compiled: whether the denoiser is compiled in training mode; see :mod:`monai_xray2mri.training.compiling`.
    """

    def __init__(self, network: ConditionedNetwork, compiled: bool = False) -> None:
        super().__init__()
        self._network = [network]  # in a list, so that it does not become a submodule
        self._trained_denoise = compile_evaluation(network.denoise) if compiled else network.denoise
        trained = {id(network.denoiser), id(network.image_encoder), id(getattr(network, "reader", None))}
        for name, part in network.named_children():  # type: ignore[attr-defined]
            if id(part) in trained:
                self.add_module(name, part)

    def train(self, mode: bool = True) -> Self:
        """As of any module; see :func:`~monai_xray2mri.networks.layout.keep_layout`."""
        super().train(mode)
        keep_layout(self)
        return self

    def forward(
        self,
        noisy: Tensor,
        *,
        t: Tensor,
        image: Tensor,
        image_latent: Tensor,
        place: Tensor,
        guide: Tensor,
        keep: Tensor,
        image_of: Tensor | None = None,
        read: Tensor | None = None,
        stack: Tensor | None = None,
    ) -> Tensor | tuple[Tensor, Tensor]:
        """Prediction [B,C,h,w].

        Where ``keep`` [B,3] is 0 the null condition stands for the context, the image's latent and the guide. With
        ``image_of`` [B] images are [F,1,H,W], everything else is of B. With ``read`` [R,1,H,W], further images, the
        reading of all F + R comes with the prediction (:mod:`monai_xray2mri.training.reading`). With ``stack`` [B] the
        slices of one number hear each other, if the denoiser mixes them (:mod:`monai_xray2mri.training.stacks`).
        """
        (network,) = self._network
        condition, all_tokens = self.condition(image, image_latent, guide, keep, image_of, read)
        prediction = self.denoise(noisy, t, condition, place, stack)
        return prediction if read is None else (prediction, network.reader(all_tokens))  # type: ignore[attr-defined]

    def denoise(
        self, noisy: Tensor, t: Tensor, condition: Condition, place: Tensor, stack: Tensor | None = None
    ) -> Tensor:
        """The network's own, [B,C,h,w]; compiled in training mode alone, since validation has other batches."""
        (network,) = self._network
        near = () if stack is None else (network.neighbors(place, stack),)  # type: ignore[attr-defined]
        return (self._trained_denoise if self.training else network.denoise)(noisy, t, condition, place, *near)

    def condition(
        self,
        image: Tensor,
        image_latent: Tensor,
        guide: Tensor,
        keep: Tensor,
        image_of: Tensor | None = None,
        read: Tensor | None = None,
    ) -> tuple[Condition, Tensor]:
        """What the denoiser is given of B targets, and the tokens [F+R,N,width] of all images; see :meth:`forward`."""
        (network,) = self._network
        keep_context, keep_latent, keep_guide = keep[..., None].unbind(dim=1)  # [B,1] each
        all_tokens = network.image_encoder(image if read is None else torch.cat([image, read]))  # [F+R,N,width]
        tokens = all_tokens if read is None else all_tokens[: len(image)]
        tokens = tokens if image_of is None else tokens[image_of]
        context = torch.where(keep_context[..., None] > 0, tokens, network.null_context)
        return Condition(image_latent * keep_latent[..., None, None], context, guide * keep_guide), all_tokens


class ForwardDiffusion:
    """Noises a batch of latents (Wang 2024a, Eq. 4) and draws what is dropped; MONAI's ``prepare_batch``.

    All random numbers are drawn on the CPU, for the whole step; ``division`` takes this micro-batch's part.

    Args:
        network: gives the schedule and the latent scale, encodes batches that hold images instead of latents, and
            completes the guide.
        guide_groups: widths of the parts of a guide that are known or unknown together; None: all of it together.
        high_noise_share: share of t in the upper half of the schedule, where it is decided what is there at all; 0.5
            is the papers' even draw.
        log_snr: lowest and highest logarithm of the signal-to-noise ratio, alpha_bar / (1 - alpha_bar), between which t
            is drawn evenly, in place of ``high_noise_share``. Where images are nearly empty, what they show outshines
            the noise of most steps, and few steps ask for the condition: this draws those more often.
        drop_condition: probability that image and guide are replaced by the null condition.
        drop_context: probability that the image embedding alone is, as in Zero-123.
        drop_latent: probability that the image's latent alone is, as in Zero-123.
        drop_guide: probability that all of the guide is unknown.
        drop_group: probability that any single group of the guide is unknown.
        division: of a step into micro-batches; None takes each batch as a step.
    """

    def __init__(
        self,
        network: ConditionedNetwork,
        guide_groups: Sequence[int] | None = None,
        high_noise_share: float = 0.65,
        drop_condition: float = 0.05,
        drop_context: float = 0.0,
        drop_latent: float = 0.0,
        drop_guide: float = 0.1,
        drop_group: float = 0.1,
        division: Division | None = None,
        log_snr: Sequence[float] | None = None,
    ) -> None:
        self.network, self.schedule, self.division = network, network.schedule, division
        self.groups = torch.tensor([1] if guide_groups is None else guide_groups)
        self.high_noise_share = high_noise_share
        self.timestep_shares = None if log_snr is None else log_snr_shares(self.schedule, *log_snr)
        self.drop_condition, self.drop_context, self.drop_latent = drop_condition, drop_context, drop_latent
        self.drop_guide, self.drop_group = drop_guide, drop_group

    def __call__(
        self, batch: dict[str, Tensor], device: Any = None, non_blocking: bool = False, **_: Any
    ) -> tuple[Tensor, tuple[Tensor, Tensor], tuple[()], dict[str, Tensor]]:
        """(z_t, (target, weight), no arguments, keyword arguments of :class:`ConditionalDenoising`)."""
        batch = {name: value.to(device, non_blocking=non_blocking) for name, value in batch.items()}
        z_0, image_latent = self.latents(batch)
        t, eps, keep, known = (drawn.to(z_0.device) for drawn in self.draw(z_0))
        given, weight = self.given(batch, z_0, image_latent, keep, known)
        eps = self.correlated(eps, batch)
        target, weight = self.schedule.target(z_0, t, eps), weight * self.schedule.error_weight(t, z_0)
        return self.schedule.add_noise(z_0, t, eps), (target, weight), (), {"t": t, **given}

    def given(
        self, batch: dict[str, Tensor], z_0: Tensor, image_latent: Tensor, keep: Tensor, known: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """What the network is given of B targets beside their noisy latents, and the weights of the squared error.

        Args:
            batch: see the module.
            z_0: latents [B,C,h,w] of the targets.
            image_latent: latents of the images.
            keep: see :meth:`draw_kept`; what was made for its guide keeps all.
            known: see :meth:`draw_known`, likewise.
        """
        image_of = batch.get("image_of")
        with torch.no_grad():
            guide = self.guide(batch, image_of)
        if "counterfactual" in batch:
            made = batch["counterfactual"][:, None]
            keep, known = keep.maximum(made), known.maximum(made)
        given = {
            "image": batch["image"],
            "image_latent": image_latent,
            "place": batch.get("place", z_0.new_zeros(len(z_0), 0)),
            "guide": guide * known,
            "keep": keep,
        }
        if image_of is not None:
            given |= {"image_of": image_of, "image_latent": image_latent[image_of]}
        weight = self.weight(batch, keep, known)
        if "mask" in batch:
            weight = weight * self.network.known_cells(batch["mask"])
        return given, weight

    def guide(self, batch: dict[str, Tensor], image_of: Tensor | None) -> Tensor:
        """The guide [B,G] of a batch, whole."""
        given, image = batch.get("guide"), batch["image"]
        if image_of is None:
            return self.network.guide_of(image, given)
        if given is None:
            return self.network.guide_of(image, None)[image_of]
        return self.network.guide_of(image[image_of], given)

    def correlated(self, eps: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """The noise [B,C,h,w] of a batch, made of what was drawn independently: here just that."""
        return eps

    @torch.no_grad()
    def latents(self, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Scaled latents [B,C,h,w] of targets and of images."""
        if "latent" not in batch:
            return self.network.encode(batch["target"]), self.network.image_latent(batch["image"])
        latent, image_latent = batch["latent"], batch["image_latent"]
        return latent * self.network.latent_scale, image_latent * self.network.image_latent_scale

    @staticmethod
    def weight(batch: dict[str, Tensor], keep: Tensor, known: Tensor) -> Tensor:
        """Weight of the squared error, to be broadcast to [B,C,h,w].

        It is the batch's own where the guide is given. Among counterfactual targets it must be given whole: what is
        drawn where something is unknown should be as frequent as it is, and no weight may say otherwise.
        """
        if "weight" not in batch:
            return keep.new_ones(len(keep), 1, 1, 1)
        given = keep[:, 2] > 0
        if "counterfactual" in batch:
            given = given & (known > 0).all(dim=1)
        return torch.where(given[:, None, None, None], batch["weight"], 1.0)

    def draw(self, z_0: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Time steps [B], eps [B,C,h,w], kept parts [B,3], known parts of the guide for latents [B,C,h,w]."""
        count = self.division.batch_size if self.division else len(z_0)
        drawn = (
            self.draw_timesteps(count),
            torch.randn(count, *z_0.shape[1:]),
            self.draw_kept(count),
            self.draw_known(count),
        )
        return tuple(map(self.division.my_rows, drawn)) if self.division else drawn  # type: ignore[return-value]

    def draw_timesteps(self, count: int) -> Tensor:
        """Time steps [count], more of them in the upper half, or evenly in log SNR."""
        if self.timestep_shares is not None:
            return torch.multinomial(self.timestep_shares, count, replacement=True)
        half = self.schedule.steps // 2
        high = torch.rand(count) < self.high_noise_share
        low_t, high_t = torch.randint(0, half, (count,)), torch.randint(half, self.schedule.steps, (count,))
        return torch.where(high, high_t, low_t)

    def draw_kept(self, count: int) -> Tensor:
        """1 where context, image latent and guide [count,3] stay, 0 where the null condition replaces them."""
        kept = torch.tensor([[0.0, 0, 0], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
        limits = torch.tensor([self.drop_condition, self.drop_context, self.drop_latent]).cumsum(0)
        return kept[torch.bucketize(torch.rand(count), limits, right=True)]

    def draw_known(self, count: int) -> Tensor:
        """1 where a group of the guide stays, 0 where it becomes unknown: [count, sum of groups], else [count,1]."""
        known = torch.rand(count, len(self.groups)) >= self.drop_group
        known &= torch.rand(count, 1) >= self.drop_guide
        return known.float().repeat_interleave(self.groups, dim=1)


def log_snr_shares(schedule: NoiseSchedule, low: float, high: float) -> Tensor:
    """Share [T] of each time step where t is drawn evenly in log SNR from ``low`` to ``high``.

    A step stands for what its signal-to-noise ratio falls by from the step before; the noisiest one stands for all of
    the range that is left.

    Raises:
        UsageError: the range is empty, or no step lies in it.
    """
    alpha_bar = schedule.alpha_bar.double().cpu()
    ratio = (alpha_bar / (1 - alpha_bar)).log()  # falls with t
    if not ((ratio > low) & (ratio < high)).any():
        rule = "must be a range that the noise schedule passes through"
        raise UsageError("option log_snr", rule, f"{low:g} to {high:g}")
    ratio = ratio.clamp(low, high)
    shares = torch.cat([ratio.new_tensor([high]), ratio[:-1]]) - ratio
    shares[-1] += ratio[-1] - low
    return shares


class WeightedSquaredError(nn.Module):
    """Mean of weight x squared error (Wang 2024a, Eq. 10, with a weight)."""

    def forward(self, prediction: Tensor, target: tuple[Tensor, Tensor]) -> Tensor:
        """Loss of a prediction [B,C,h,w] against (target [B,C,h,w], weight [B,1,h,w] or [B,1,1,1])."""
        wanted, weight = target
        return (weight * (prediction.float() - wanted).square()).mean()
