"""The engine with a suite of pictures and a blur: it knows no body part, and a suite needs no change of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from monai_xray2mri.core.shards import WHOLE, Shard
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.evaluation.cost import cost_lines
from monai_xray2mri.evaluation.evaluation import Evaluation
from monai_xray2mri.evaluation.methods import FolderMethod, generate, method_settings
from monai_xray2mri.evaluation.protocols import RecordedMethod
from monai_xray2mri.evaluation.results import write_results
from monai_xray2mri.evaluation.study import Setting
from monai_xray2mri.evaluation.suite import CaseSource, choose_suite
from tests.helpers.toy_suite import PREDICTOR, SIDE, SUITE, BlurMethod, Pictures


def evaluation(output: Path, *methods: str, shard: Shard = WHOLE) -> Evaluation:
    source = CaseSource(seed=3)
    named = SUITE.methods(PREDICTOR, Path("blur"), methods)
    setting = SUITE.setting(named, "blur", SUITE.profiles["cpu"], 3, True)
    return Evaluation.of(SUITE, setting, SUITE.choose(None, source), source, output / "records", shard)


def measure(run: Evaluation) -> int:
    """Measure what is left to do; returns the number of cases."""
    todo = [(task, *each) for task in run.tasks for each in task.todo]
    for each in todo:
        run.measure(*each)
    return len(todo)


def test_records_results_and_report_of_pictures(tmp_path: Path) -> None:
    run = evaluation(tmp_path)
    assert list(cost_lines(run)) == [
        "comparison: 4 test pictures, 2.0 pictures each",
        "8 pictures and 4 simulated pictures are left to do: about 0 minutes",
    ]
    assert measure(run) == 4 and run.complete and not run.failed
    first = json.loads((tmp_path / "records" / "comparison.jsonl").read_text().splitlines()[0])
    assert first["case"] == "3" and first["participant"] == "person 1"
    assert [row["method"] for row in first["rows"]] == ["blur", "unchanged"]
    found = write_results(run, tmp_path, {"seed": 3})
    blur, unchanged = (found["methods"][name]["psnr"] for name in ("blur", "unchanged"))
    assert blur["n"] == 4 and blur["mean"] > unchanged["mean"] + 3
    assert json.loads((tmp_path / "metrics.json").read_text()) == found
    table = (tmp_path / "tables" / "comparison.csv").read_text().splitlines()
    assert table[0] == "method,PSNR dB,cases" and [line.split(",")[0] for line in table[1:]] == ["blur", "unchanged"]
    report = (tmp_path / "report.html").read_text()
    assert "Evaluation of a blur" in report and "data:image/png" in report and "nee" not in report.split("base64")[0]


def test_an_interrupted_run_goes_on_and_a_method_is_added(tmp_path: Path) -> None:
    assert measure(evaluation(tmp_path, shard=Shard(2, 2))) == 2
    assert not evaluation(tmp_path).complete
    assert measure(evaluation(tmp_path)) == 2 and measure(evaluation(tmp_path)) == 0
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    for name in ("3", "4", "5"):  # and none of picture 6
        np.save(theirs / f"{name}.npy", np.full((SIDE, SIDE), 0.5, np.float32))
    methods = SUITE.methods(PREDICTOR, Path("blur"))
    methods["theirs"] = FolderMethod(theirs)
    run = evaluation(tmp_path)
    added = Evaluation.of(
        SUITE,
        Setting(methods, "blur", SUITE.profiles["cpu"], 3, True),
        [run.tasks[0].study],
        run.source,
        tmp_path / "records",
    )
    assert added.cost()[0] == 4  # the new method alone
    measure(added)
    assert added.failed == {"comparison": {"6": added.failed["comparison"]["6"]}}
    assert "picture 6" in added.failed["comparison"]["6"] and "no such file" in added.failed["comparison"]["6"]
    assert {row["method"] for row in added.rows["comparison"]} == {"blur", "unchanged", "theirs"}
    assert len(added.rows["comparison"]) == 9  # three pictures that all methods can be compared on
    assert len(run.rows["comparison"]) == 8


class Wrong(BlurMethod):
    """Gives what was not asked for."""

    def __init__(self, result: np.ndarray) -> None:
        self.result = result

    def predict(self, inputs: object, samples: int, seed: int) -> np.ndarray:
        return self.result


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (np.zeros((1, 4, SIDE, SIDE)), "shape"),
        (np.zeros((1, SIDE, SIDE + 1)), "shape"),
        (np.zeros((3, SIDE, SIDE)), "shape"),
        (np.full((1, SIDE, SIDE), np.nan), "numbers"),
        (np.full((1, SIDE, SIDE), 1.5), "0 to 1"),
    ],
)
def test_a_result_has_the_shape_that_its_case_states(result: np.ndarray, words: str) -> None:
    case = Pictures(CaseSource(), "test", 1)[0]
    with pytest.raises(InputRefused, match=f"picture 0.*{words}"):
        generate(Wrong(result), case.inputs, 2, 0)
    assert generate(BlurMethod(PREDICTOR), case.inputs, 2, 0).shape == (1, SIDE, SIDE)


class Weighted(BlurMethod):
    """States what determines its results."""

    def settings(self) -> dict[str, object]:
        return {"weights_sha256": "abc"}


def test_what_a_run_must_have_in_common_with_an_earlier_one() -> None:
    plain, weighted = BlurMethod(PREDICTOR), Weighted(PREDICTOR)
    assert isinstance(weighted, RecordedMethod) and not isinstance(plain, RecordedMethod)
    assert method_settings({"a": plain, "b": weighted}) == {"a": "BlurMethod", "b": {"weights_sha256": "abc"}}


def test_methods_and_suites_by_name() -> None:
    named = SUITE.methods(PREDICTOR, Path("folder/blur"), ["mine=tests.helpers.toy_suite:Unchanged"])
    assert list(named) == ["blur", "unchanged", "mine"]
    for text, words in (("mine", "NAME=SOURCE"), ("blur=json:nothing", "name of its own"), ("mine=nowhere:X", "Class")):
        with pytest.raises(UsageError, match=words):
            SUITE.methods(PREDICTOR, Path("blur"), [text])
    assert choose_suite({"quick": SUITE}, None, ["comparison"]) is SUITE
    with pytest.raises(UsageError, match="no suite"):
        choose_suite({}, None, None)
