"""Makes training data from a release of OAI, real or simulated: ``xray2mri prepare`` (docs/knee/oai.md)."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from monai_xray2mri.errors import InputRefused, OutOfMemory, UsageError, Xray2MRIError, describe_unexpected
from monai_xray2mri.knee.oai.figure4 import write_figure4
from monai_xray2mri.knee.oai.films import Boxes
from monai_xray2mri.knee.oai.gather import Tables, gather_tables
from monai_xray2mri.knee.oai.intensity import RULE
from monai_xray2mri.knee.oai.join import Candidate, Joined, Skipped, Ungraded, join
from monai_xray2mri.knee.oai.knee_folder import KneeSource, Record, prepare_knee
from monai_xray2mri.knee.oai.readings import Missing
from monai_xray2mri.knee.oai.release import Discovery, discover
from monai_xray2mri.knee.oai.report import PrepareReport
from monai_xray2mri.knee.oai.series import OutOfScope
from monai_xray2mri.knee.oai.splits import Protocol, split_of
from monai_xray2mri.knee.oai.training_files import PreparedKnee, write_dataset_list, write_store
from monai_xray2mri.knee.oai.truth import release_settings
from monai_xray2mri.knee.oai.visits import MONTHS
from monai_xray2mri.runtime.files import lock_folder
from monai_xray2mri.runtime.workers import Workers, with_progress

KNEES: Final = "knees"


@dataclass(frozen=True)
class PrepareOptions:
    """How a release is prepared.

    Attributes:
        tables: folders of tables in addition to the release.
        visits: visits that are prepared, ``"V00"`` ...
        boxes: how a knee is found on its film: ``"truth"`` (truth file), ``"detector"``, or ``"auto"`` (truth file if
            there is one).
        missing: value of features that OAI did not read (:func:`~monai_xray2mri.knee.oai.readings.grading_of`).
        ungraded: ``"skip"`` skips knees without a reading, ``"keep"`` keeps them with unknown features.
        protocol: ``"000"`` splits 7:1:2 (Wang 2024a), ``"001"`` 7:3 (Wang 2024b).
        split_seed: seed of the split.
        workers: number of processes.
        progress: whether to show progress bars on stderr.
    """

    tables: tuple[Path, ...] = ()
    visits: tuple[str, ...] = ("V00",)
    boxes: Boxes = "auto"
    missing: Missing = "unknown"
    ungraded: Ungraded = "skip"
    protocol: Protocol = "000"
    split_seed: int = 0
    workers: int = 1
    progress: bool = False

    def check(self) -> None:
        """Check the options.

        Raises:
            UsageError: an option is wrong; the message names it.
        """
        Workers(self.workers)
        unknown = [visit for visit in self.visits if visit not in MONTHS]
        if unknown or not self.visits:
            raise UsageError("visits", f"must be of {', '.join(MONTHS)}", ", ".join(unknown) or "none")
        for folder in self.tables:
            if not folder.is_dir():
                raise UsageError(f"folder of tables {folder.name}", "must be a folder", "none there", "Check the path.")

    def as_record(self) -> dict[str, Any]:
        """The options that the result depends on, ready for JSON."""
        record = asdict(self)
        for name in ("workers", "progress", "tables"):
            del record[name]
        return record | {"visits": list(self.visits), "intensity": RULE}


def prepare_release(release: Path, output: Path, options: PrepareOptions | None = None) -> PrepareReport:
    """Prepare a release; knees that an earlier run completed are kept.

    Writes below ``output``: ``knees/`` (one folder for each knee, whole or not at all), ``store/`` (the training
    format), ``dataset.json`` (MONAI's lists), ``figure4*``, ``report.json`` and ``report.txt``.

    Args:
        release: folder with the images, at any depth, and usually the tables.
        output: output folder; it is made if it is missing.
        options: options of the preparation.

    Returns:
        The report; its ``broken`` lists what was skipped because it is broken.

    Raises:
        UsageError: an option is wrong, or a folder cannot be read or written.
        InputRefused: no knee is usable; the message says what is required. The report is written in this case, too.
    """
    options = options or PrepareOptions()
    options.check()
    release, output = Path(release), Path(output)
    if not release.is_dir():
        raise UsageError("release", "must be a folder", "none at that path", "Check the path.")
    _make_output(output, release)
    with lock_folder(output):
        _remove_drafts(output)  # a killed run may have left some
        try:
            return _prepare(release, output, options)
        except BaseException:  # also KeyboardInterrupt, which stops workers in the middle of a knee
            _remove_drafts(output)
            raise


def _prepare(release: Path, output: Path, options: PrepareOptions) -> PrepareReport:
    simulated = release_settings(release)
    # 1. Find tables and series.
    try:
        tables = gather_tables((release, *options.tables))
        found = discover(release, tables.listed)
    except OSError as error:
        raise UsageError(
            "release", "must be readable", error.strerror or type(error).__name__, "Check its permissions."
        ) from error
    # 2. Join them.
    joined = join(
        found,
        tables.readings,
        tables.participants,
        visits=options.visits,
        missing=options.missing,
        ungraded=options.ungraded,
    )
    report = _first_report(options, tables, found, joined, simulated)
    # 3. Read the images of each knee.
    sources = [KneeSource(release, one.key, one.film, one.series, options.boxes) for one in joined.candidates]
    run = with_progress(Workers(options.workers), "knees", options.progress)
    with closing(run(partial(_attempt, knees=output / KNEES), sources)) as outcomes:
        knees = _sort_outcomes(joined.candidates, outcomes, tables, options, simulated, report)
    # 4. Write the files of all knees.
    if not knees:
        report.write(output)
        raise _nothing_usable(report)
    _write_training_files(output, knees, found, options, simulated, report)
    report.write(output)
    return report


def _make_output(output: Path, release: Path) -> None:
    """Make the output folder."""
    if output.resolve() == release.resolve() or release.resolve() in output.resolve().parents:
        raise UsageError("output", "must lie outside of the release", "a folder inside", "Choose another folder.")
    try:
        (output / KNEES).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(
            f"output folder {output.name}", "must be a folder that can be made and written",
            error.strerror or type(error).__name__, "Choose another folder or correct its permissions.",
        ) from error  # fmt: skip


def _remove_drafts(output: Path) -> None:
    """Remove folders of unfinished knees."""
    for draft in (output / KNEES).glob(".*.part"):
        shutil.rmtree(draft, ignore_errors=True)


def _first_report(
    options: PrepareOptions, tables: Tables, found: Discovery, joined: Joined, simulated: dict[str, Any]
) -> PrepareReport:
    """The report before any image is read."""
    report = PrepareReport(options=options.as_record(), skipped=[*tables.skipped, *joined.skipped])
    for kind, what in (
        ("film", "bilateral films"),
        ("T1", "COR_T1_3D_FLASH series"),
        ("unreadable", "unreadable series"),
    ):
        report.counts[what] = sum(one.kind == kind for one in found.series)
    for description, count in found.others.items():
        report.counts[f"series of no use: {description}"] = count
    report.counts["second copies of series"] = found.copies
    report.counts["films and T1 series that contents.csv lists and that are not there"] = found.absent
    report.counts["knees with a reading"] = len(tables.readings.readings)
    report.counts.update(tables.readings.not_used)
    report.counts.update(joined.counts)
    for kind in ("readings", "films", "participants", "contents"):
        report.counts[f"tables of {kind}"] = len(tables.names.get(kind, []))
    if simulated:
        told = ("split", "simulator_version", "visibility")
        report.options["simulated"] = {name: simulated.get(name) for name in told}
        report.remarks.append(f"a simulated release of the {simulated['split']} seed range")
        if simulated.get("complete") is False:
            report.remarks.append("the simulated release is not complete: 'xray2mri simulate' was interrupted")
    report.counts = +report.counts
    return report


def _attempt(source: KneeSource, knees: Path) -> Record | Skipped:
    """Prepare a knee; an error of one knee does not stop the others."""
    try:
        return prepare_knee(source, knees)
    except OutOfScope as refusal:
        return Skipped.of(source.key, "MR series", str(refusal))
    except InputRefused as refusal:
        return Skipped.of(source.key, "film or MR series", str(refusal), broken=True)
    except Xray2MRIError:
        raise
    except MemoryError:
        raise _out_of_memory() from None
    except Exception as error:  # unknown damage; the text of the error may quote the header
        return Skipped.of(source.key, "film or MR series", describe_unexpected(error), broken=True)


def _out_of_memory() -> OutOfMemory:
    return OutOfMemory(
        "preparing knees", "needs about 1 GB for each process", "a process was ended for want of memory",
        "Use fewer workers; knees that are complete are kept.",
    )  # fmt: skip


def _sort_outcomes(
    candidates: Sequence[Candidate],
    outcomes: Iterator[Record | Skipped],
    tables: Tables,
    options: PrepareOptions,
    simulated: dict[str, Any],
    report: PrepareReport,
) -> list[PreparedKnee]:
    knees = []
    for candidate, outcome in zip(candidates, outcomes, strict=True):
        if isinstance(outcome, Skipped):
            report.skipped.append(outcome)
            continue
        key = candidate.key
        split = split_of(key.participant, options.protocol, options.split_seed, simulated.get("split"))
        knee = PreparedKnee(key, outcome, candidate.grading, split, tables.participants.covariates.get(key.participant))
        remarks = [*candidate.remarks, *candidate.grading.remarks, *outcome["remarks"]]
        report.used.append(knee.as_item(f"{KNEES}/{key.name}") | {"sources": _sources(outcome), "remarks": remarks})
        knees.append(knee)
    return knees


def _sources(record: Record) -> dict[str, Any]:
    return {"film": record["film"]["folder"], "mri": record["mri"]["folder"], "box": record["film"]["box_source"]}


def _write_training_files(
    output: Path,
    knees: Sequence[PreparedKnee],
    found: Discovery,
    options: PrepareOptions,
    simulated: dict[str, Any],
    report: PrepareReport,
) -> None:
    dataset = write_dataset_list(output, KNEES, knees, report.options)

    run = with_progress(Workers(options.workers), "stored", options.progress)
    store = write_store(output, KNEES, knees, report.options, run)
    means = [knee.record["mri"]["slice_means"] for knee in knees]
    figures, remark = write_figure4(output, found.slice_counts, means)
    report.remarks += [remark] if remark else []
    report.files += [path.relative_to(output).as_posix() for path in (dataset, store, *figures)]


def _nothing_usable(report: PrepareReport) -> InputRefused:
    """The error for a release without a usable knee: what is required and what was found, without participants."""
    counts = (
        ", ".join(f"{count} {what}" for what, count in sorted(report.counts.items())) or "no DICOM series, no table"
    )
    out_of_scope = len(report.skipped) - len(report.broken)
    return InputRefused(
        "release",
        "needs a knee with a bilateral fixed flexion film, a COR_T1_3D_FLASH_RIGHT series of 80 slices and a reading "
        "in kXR_SQ_BU",
        f"{counts}; left out: {len(report.broken)} broken, {out_of_scope} out of scope",
        "report.txt in the output says why each was left out. Tables may lie elsewhere: --tables DIR. Archives "
        "(.tar.gz) must be unpacked.",
    )
