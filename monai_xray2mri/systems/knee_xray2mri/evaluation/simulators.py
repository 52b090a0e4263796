"""Weights are evaluated on knees of the simulator that they were trained on."""

from __future__ import annotations

from collections.abc import Mapping

from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.suite import CaseSource, require_simulator
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION
from monai_xray2mri.systems.knee_xray2mri.evaluation.cases import open_prepared


def check_simulators(methods: Mapping[str, Method], source: CaseSource) -> None:
    """See :func:`~monai_xray2mri.evaluation.suite.require_simulator`; a prepared set says which version it is of.

    Raises:
        UsageError: weights of another version, or no prepared set where one is named.
    """
    wanted = SIMULATOR_VERSION if source.data is None else open_prepared(source.data).index.get("simulator")
    require_simulator(methods, source, wanted, "knees")
