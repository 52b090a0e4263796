"""Weights are evaluated on knees of the simulator that they were trained on."""

from __future__ import annotations

from collections.abc import Mapping

from monai_xray2mri.errors import UsageError
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.suite import CaseSource
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import open_prepared
from monai_xray2mri.systems.knee_xray2mri.evaluation.methods import NetworkMethod


def check_simulators(methods: Mapping[str, Method], source: CaseSource) -> None:
    """Refuse weights that were trained on knees of another version of the simulator than the evaluated ones.

    Two versions are two cohorts: what looks other is counted as the method's error. Real knees ask for no version, and
    methods without weights have none.

    Args:
        methods: name to method.
        source: of the knees; ``other_simulator`` lets every version pass.

    Raises:
        UsageError: weights of another version, or no prepared set where one is named.
    """
    wanted = SIMULATOR_VERSION if source.data is None else open_prepared(source.data).index.get("simulator")
    if wanted is None or source.other_simulator:
        return
    for name, method in methods.items():
        found = method.record.get("simulator") if isinstance(method, NetworkMethod) else None
        if found is not None and found != wanted:
            raise UsageError(
                f"method {name}",
                f"must be trained on knees of simulator {wanted}, of which the evaluated knees are",
                f"weights of simulator {found}",
                "Train the weights again (docs/training/training.md), evaluate a prepared set of that simulator with "
                "--data, or give --other-simulator, whose results are comparable with no others.",
            )
