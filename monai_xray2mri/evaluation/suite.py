"""What a suite is: studies with what they need. A system brings its suites, the engine runs them.

``docs/adding_a_system.md`` shows a whole one, of pictures and a blur.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic

from monai_xray2mri.core.system import Predictor
from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.methods import class_method
from monai_xray2mri.evaluation.protocols import C, Cohort, Method, RecordedMethod
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import PROFILES, Profile, ResultTable, S, Study

Rows = Mapping[str, Sequence[Row]]
"""Study to its rows."""


@dataclass(frozen=True)
class CaseSource:
    """Where cases come from.

    Attributes:
        seed: chooses simulated cases.
        data: prepared set; None: simulated cases.
        films: folder of real radiographs; None: there are none.
        cases: of every study and split; None: what the study states.
        other_simulator: whether weights may be evaluated on simulated cases of another version of the simulator than
            they were trained on.
    """

    seed: int = 0
    data: Path | None = None
    films: Path | None = None
    cases: int | None = None
    other_simulator: bool = False


@dataclass(frozen=True)
class Words:
    """What a system calls its cases and its work.

    Attributes:
        case: one case.
        cases: several.
        unit: a unit of work.
        units: several.
        result: what a method makes of a case.
        results: several.
        units_per_result: units of work of one result.
    """

    case: str = "case"
    cases: str = "cases"
    unit: str = "picture"
    units: str = "pictures"
    result: str = "picture"
    results: str = "pictures"
    units_per_result: int = 1


def unpacked(case: C) -> Callable[[], C]:
    """A training case kept as it is."""
    return lambda: case


def no_check(methods: Mapping[str, Method], source: CaseSource) -> None:
    """Every method goes with every source."""


def any_study(study: Any, source: CaseSource) -> bool:
    """Every source can answer every study."""
    return True


def no_seconds(setting: Any) -> float:
    """Nobody knows what a unit of work takes."""
    return 0.0


@dataclass(frozen=True)
class Suite(Generic[S, C]):
    """Studies, and what a system hands in to run them.

    Attributes:
        name: as ``--suite`` names it.
        title: of the report.
        studies: in the order in which they run.
        cohort: source, split and number to the cases.
        bundle_method: the system's predictor of the bundle, and the bundle's folder, to the bundle's method.
        setting: what a study is run with: :class:`~.study.Setting` or the system's own kind of it.
        method_of: text behind ``--method NAME=``, bundle and name of the device to a method.
        check: refuses methods that do not go with the source of the cases.
        baselines: name to a method without weights, which every other must beat.
        training: source, number and the splits that are measured to the training cases of methods that ask for them.
        training_cases: profile to their number.
        pack: a training case to what gives it back, smaller in memory where that is worth it.
        profiles: by name.
        words: what the system calls its cases and its work.
        seconds: setting to the time of one unit of work; 0 where nobody knows.
        simulation_seconds: of one simulated case on one slow core.
        answers: whether a source of cases can answer a study, beyond what the study itself says it needs.
        quality: rows and setting to the table of stated bars; None where the run measured none of them.
        claims: rows and setting to the table of what the papers claim; None where the run says nothing of it.
        metrics: rows to what ``metrics.json`` holds of them.
        files: rows, setting and settings to further JSON files of the output folder, by name.
        recorded: what else determines the records, such as the simulator's version.
    """

    name: str
    title: str
    studies: Sequence[Study[S, C]]
    cohort: Callable[[CaseSource, str, int], Cohort[C]]
    bundle_method: Callable[[Any, Path], Method]
    setting: Callable[..., S]
    method_of: Callable[[str, Path, str], Method] = lambda source, bundle, device: class_method(source)
    check: Callable[[Mapping[str, Method], CaseSource], None] = no_check
    baselines: Mapping[str, Callable[[], Method]] = field(default_factory=dict)
    training: Callable[[CaseSource, int, Set[str]], Iterable[C]] = lambda source, number, splits: ()
    training_cases: Mapping[str, int] = field(default_factory=dict)
    pack: Callable[[C], Callable[[], C]] = unpacked
    profiles: Mapping[str, Profile] = field(default_factory=lambda: PROFILES)
    words: Words = Words()
    seconds: Callable[[S], float] = no_seconds
    simulation_seconds: float = 0.0
    answers: Callable[[Study[S, C], CaseSource], bool] = any_study
    quality: Callable[[Rows, S], ResultTable | None] | None = None
    claims: Callable[[Rows, S], ResultTable | None] | None = None
    metrics: Callable[[Rows], dict[str, Any]] | None = None
    files: Callable[[Rows, S, Mapping[str, Any]], dict[str, Any]] | None = None
    recorded: Mapping[str, Any] = field(default_factory=dict)

    def methods(
        self, predictor: Predictor, bundle: Path, sources: Sequence[str] = (), device: str = "auto"
    ) -> dict[str, Method]:
        """The bundle under its own name first, then the baselines, then what ``NAME=SOURCE`` texts name.

        Args:
            predictor: the system's predictor of the bundle.
            bundle: folder of the bundle.
            sources: texts ``NAME=SOURCE``.
            device: name of the device on which the sources compute.

        Raises:
            UsageError: a text has another form, or its name is taken.
            WeightsError: weights of a source are missing or damaged.
        """
        methods = {bundle.resolve().name: self.bundle_method(predictor, bundle)}
        methods |= {name: kind() for name, kind in self.baselines.items()}
        for text in sources:
            name, _, source = text.partition("=")
            if not name or not source or name in methods:
                raise UsageError("option method", "must be NAME=SOURCE with a name of its own", text)
            methods[name] = self.method_of(source, bundle, device)
        return methods

    def choose(self, names: Sequence[str] | None, source: CaseSource) -> list[Study[S, C]]:
        """The named studies in order; without names all that the source can answer, but for those on request.

        Raises:
            UsageError: an unknown name, or a study that needs simulated cases where they are prepared.
        """
        if not names:
            asked = [study for study in self.studies if not study.on_request]
            return [study for study in asked if _can_answer(study, source) and self.answers(study, source)]
        known = [study.name for study in self.studies]
        if unknown := sorted(set(names) - set(known)):
            raise UsageError("option studies", f"must be among: {', '.join(known)}", ", ".join(unknown))
        chosen = [study for study in self.studies if study.name in names]
        if source.data is not None and (asking := [study.name for study in chosen if study.needs_simulation]):
            rule = f"must not ask what only simulated {self.words.cases} know"
            raise UsageError("option studies", rule, ", ".join(asking))
        return chosen


def _can_answer(study: Study[Any, Any], source: CaseSource) -> bool:
    return not (study.needs_simulation and source.data is not None) and not (study.needs_films and source.films is None)


def choose_suite(
    suites: Mapping[str, Suite[Any, Any]], name: str | None, studies: Sequence[str] | None
) -> Suite[Any, Any]:
    """The suite of a name, the first without one; where single studies are named, the suite that holds most.

    Raises:
        UsageError: the system has no suites, or none of that name.
    """
    if not suites:
        raise UsageError("option bundle", "must be of a system that can be evaluated", "its system has no suite")
    if name is not None and name not in suites:
        raise UsageError("option suite", f"must be one of: {', '.join(suites)}", name)
    if studies:
        return max(suites.values(), key=lambda suite: len(suite.studies))
    return suites[name] if name is not None else next(iter(suites.values()))


def require_simulator(methods: Mapping[str, Method], source: CaseSource, wanted: str | None, cases: str) -> None:
    """Refuse weights that were trained on another version of the simulator than the evaluated cases are of.

    Two versions are two cohorts: what looks other is counted as the method's error. Real cases ask for no version, and
    methods without weights state none (``simulator`` of their records).

    Args:
        methods: name to method.
        source: of the cases; ``other_simulator`` lets every version pass.
        wanted: version that the cases are of; None: of none.
        cases: word for cases.

    Raises:
        UsageError: weights of another version.
    """
    if wanted is None or source.other_simulator:
        return
    for name, method in methods.items():
        found = method.settings().get("simulator") if isinstance(method, RecordedMethod) else None
        if found is not None and found != wanted:
            raise UsageError(
                f"method {name}",
                f"must be trained on {cases} of simulator {wanted}, of which the evaluated {cases} are",
                f"weights of simulator {found}",
                "Train the weights again (docs/training/training.md), evaluate a prepared set of that simulator with "
                "--data, or give --other-simulator, whose results are comparable with no others.",
            )
