"""The settings of a release: everything that its bytes depend on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, get_args

from monai_xray2mri.core.identity import fingerprint
from monai_xray2mri.errors import UsageError
from monai_xray2mri.simulation.knee.film.film_options import FilmOptions
from monai_xray2mri.simulation.knee.film.random_options import draw_film_options, plain_options
from monai_xray2mri.simulation.knee.people.grades import Prevalence
from monai_xray2mri.simulation.knee.people.participants import PARTICIPANTS_PER_RANGE
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SIMULATOR_VERSION

Oddities = Literal["none", "oai"]
Films = Literal["varied", "plain"]

FORMAT: Final = 1
"""Version of the layout and the headers that this package writes; a release has only one version."""
MATRICES: Final = (256, 512)


@dataclass(frozen=True)
class ReleaseSettings:
    """Settings of a release.

    Attributes:
        seed: seed of the first participant; the others have the seeds after it.
        knees: number of participants; each has an MR volume of the right knee and a film of both knees.
        visibility: how visible cysts, chondrocalcinosis and attrition are in the radiographs, 0 to 1.
        mr_matrix: 256 (pixels of 0.625 mm, as simulated) or 512 (0.3125 mm, as OAI; every pixel is repeated 2 x 2
            times).
        films: ``"varied"`` draws pixel size, polarity, markers, collimation, faults and metal of the left knee;
            ``"plain"`` gives all films the same options and pixels of 0.3 mm.
        oddities: ``"oai"`` adds the irregularities of OAI's tables and headers, ``"none"`` does not.
        structural_missingness: leave out the features that OAI's readers did not read.
        prevalence: prevalence of the grades; None takes that of the seed range
            (:func:`~monai_xray2mri.simulation.knee.people.grades.prevalence_of`).
        device: where the knees are computed: ``"cpu"``, ``"cuda"``, ``"cuda:1"`` ... Films are always computed on the
            CPU. CPU and GPU differ in rounding, so all knees of a release are computed on one kind of device.
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
        """Check the settings.

        Raises:
            UsageError: a setting is out of its range; the message names it.
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
        """Hash of everything except the seed that the files of one participant depend on."""
        record = self.as_record()
        for key in ("seed", "knees", "split"):
            del record[key]
        return fingerprint(record).hex()


def first_seed(split: str | None, seed: int | None) -> int:
    """Seed of the first participant.

    Args:
        split: name of a seed range, or None.
        seed: an absolute seed; None takes the first seed of the split, or of the training range without a split.

    Raises:
        UsageError: the split is unknown, or the seed lies in another one.
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
    """Check that all seeds belong to one range; a release must not mix training and test data.

    Raises:
        UsageError: they do not, or some have no participant number.
    """
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
    """Options of the film of a participant.

    Args:
        settings: settings of the release.
        seed: the participant's seed.
    """
    return draw_film_options(seed) if settings.films == "varied" else plain_options(seed)
