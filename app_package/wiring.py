"""Which operators plan: those of the system's kind of input, or the one that serves every system."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from monai.deploy.core import Application, Operator
from monai.deploy.operators.dicom_series_selector_operator import DICOMSeriesSelectorOperator

from monai_xray2mri.core.system import System
from operators.grading_operator import GradingOperator
from operators.knee_region_operator import KneeRegionOperator
from operators.plan_operator import PlanOperator
from run import Run

Planning = Callable[[Application, Run, Operator], Operator]
"""Adds operators behind the loader; returns the one that emits the plan."""


def planning_of(system: System) -> Planning:
    """How the sources of a system are planned."""
    return {"knee_xray2mri": plan_knees}.get(system.name, plan_sources)


def plan_sources(app: Application, run: Run, loader: Operator) -> Operator:
    """Any system: its own checks of the study's folder."""
    selector = series_selector(app, "sources", run.system.modalities)
    plan = PlanOperator(app, run=run, name="plan")
    app.add_flow(loader, selector, {("dicom_study_list", "dicom_study_list")})
    app.add_flow(selector, plan, {("study_selected_series_list", "sources")})
    return plan


def plan_knees(app: Application, run: Run, loader: Operator) -> Operator:
    """Knee systems: the knees on the selected radiographs, then their features from the selected reports."""
    radiographs = series_selector(app, "radiographs", run.system.modalities)
    reports = series_selector(app, "reports", ("SR",))
    region = KneeRegionOperator(app, run=run, name="knee_region")
    grading = GradingOperator(app, run=run, name="grading")
    app.add_flow(loader, radiographs, {("dicom_study_list", "dicom_study_list")})
    app.add_flow(loader, reports, {("dicom_study_list", "dicom_study_list")})
    app.add_flow(radiographs, region, {("study_selected_series_list", "radiographs")})
    app.add_flow(reports, grading, {("study_selected_series_list", "reports")})
    app.add_flow(region, grading, {("plan", "plan")})
    return grading


def series_selector(app: Any, name: str, modalities: Iterable[str]) -> Operator:
    """The SDK's selector of all series of some modalities; its rule is a regular expression in JSON."""
    rule = f"^({'|'.join(modalities)})$"
    rules = json.dumps({"selections": [{"name": name, "conditions": {"Modality": rule}}]})
    return DICOMSeriesSelectorOperator(app, rules=rules, all_matched=True, name=f"{name}_selector")
