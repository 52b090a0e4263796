"""What a release is made of: everything that its bytes depend on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from monai_xray2mri.core.identity import fingerprint
from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.knee.film.film_options import FilmOptions, draw_film_options, plain_options
from monai_xray2mri.simulation.knee.people.grades import Prevalence
from monai_xray2mri.simulation.knee.people.participants import PARTICIPANTS_PER_RANGE
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SIMULATOR_VERSION

Oddities = Literal["none", "oai"]
Films = Literal["varied", "plain"]

FORMAT: Final = 1
"""Version of the layout and headers that this package writes; another one is another release."""
MATRICES: Final = (256, 512)


@dataclass(frozen=True)
class ReleaseSettings:
    """Settings of a release.

    Attributes:
        seed: seed of the first participant; the others follow it.
        knees: number of participants, each with one right knee in MR and both on the film.
        visibility: how far cysts, chondrocalcinosis and attrition show in the radiographs, 0 to 1.
        mr_matrix: 256 (0.625 mm, as simulated) or 512 (0.3125 mm, OAI's; every pixel four times).
        films: ``"varied"`` draws pixel size, polarity, markers, collimation, faults and metal of the left knee as
            departments make them; ``"plain"`` makes all alike, at 0.3 mm.
        oddities: ``"oai"`` puts the oddities of the real tables and headers in.
        structural_missingness: leave out the readings that OAI did not make.
        prevalence: how frequent grades are; None is that of the seed range (``simulation/grades.py``).
        device: where the knees are computed: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` ...; films are made on the CPU. Kinds
            of device differ in roundings, so a release belongs to one kind.
    """

    seed: int
    knees: int
    visibility: float = 0.5
    mr_matrix: int = 256
    films: Films = "varied"
    oddities: Oddities = "none"
    structural_missingness: bool = False
    prevalence: Prevalence | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Refuse what cannot be made.

        Raises:
            UsageError: naming the setting.
        """
        choices = get_args(Prevalence)
        for name, met, rule in (
            ("knees", self.knees >= 1, "must be at least 1"),
            ("visibility", 0.0 <= self.visibility <= 1.0, "must lie in 0 to 1"),
            ("mr_matrix", self.mr_matrix in MATRICES, "must be 256 or 512"),
            ("films", self.films in get_args(Films), "must be varied or plain"),
            ("oddities", self.oddities in get_args(Oddities), "must be none or oai"),
            ("prevalence", self.prevalence in (None, *choices), f"must be one of: {', '.join(choices)}"),
        ):
            if not met:
                raise UsageError(f"setting {name.replace('_', ' ')}", rule, str(getattr(self, name)))
        _check_seeds(self.seed, self.knees)

    @property
    def seeds(self) -> range:
        """Seeds of the participants."""
        return range(self.seed, self.seed + self.knees)

    @property
    def split(self) -> str:
        """Name of the seed range that the release belongs to."""
        return next(name for name, seeds in SEED_RANGES.items() if self.seed in seeds)

    def as_record(self) -> dict[str, Any]:
        """The settings with the versions that the bytes depend on, ready for JSON."""
        kind = self.device.partition(":")[0]
        versions = {"format": FORMAT, "simulator_version": SIMULATOR_VERSION, "split": self.split}
        return {**versions, **asdict(self), "device": kind}

    def fingerprint(self) -> str:
        """Hash of all that one participant's files depend on besides the seed."""
        record = self.as_record()
        for key in ("seed", "knees", "split"):
            del record[key]
        return fingerprint(record).hex()


def first_seed(split: str | None, seed: int | None) -> int:
    """Seed of the first participant from what the user gave.

    Args:
        split: name of a seed range, or None.
        seed: an absolute seed, or None for the first one of the range (training if there is no range either).

    Raises:
        UsageError: there is no such range, or the seed lies in another one.
    """
    if split is None:
        return SEED_RANGES["training"].start if seed is None else seed
    if split not in SEED_RANGES:
        raise UsageError("split", f"must be one of: {', '.join(SEED_RANGES)}", split)
    seeds = SEED_RANGES[split]
    if seed is not None and seed not in seeds:
        raise UsageError(
            "seed",
            f"must lie in {seeds.start} to {seeds.stop - 1}, the range of the {split} split",
            str(seed),
            "Seeds are absolute; leave --seed or --split out.",
        )
    return seeds.start if seed is None else seed


def _check_seeds(seed: int, knees: int) -> None:
    """All participants must belong to one range, or a release would mix what a model may see and what judges it."""
    for name, seeds in SEED_RANGES.items():
        if seed in seeds:
            stop = seeds.start + PARTICIPANTS_PER_RANGE  # beyond it there are no participant numbers left
            if seed + knees > stop:
                raise UsageError(
                    f"seeds of the {name} range",
                    f"must end at {stop - 1}, its last one with a participant number",
                    f"{seed} to {seed + knees - 1}",
                    f"At most {max(stop - seed, 0)} knees can start here.",
                )
            return
    ranges = ", ".join(f"{name} {seeds.start} to {seeds.stop - 1}" for name, seeds in SEED_RANGES.items())
    raise UsageError("seed", "must lie in one of the simulator's ranges", str(seed), f"They are: {ranges}.")


def film_options(settings: ReleaseSettings, seed: int) -> FilmOptions:
    """What the film of a participant is like.

    Args:
        settings: the release's.
        seed: the participant's seed.
    """
    return draw_film_options(seed) if settings.films == "varied" else plain_options(seed)
