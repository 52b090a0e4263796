"""The MONAI Deploy app: a study with a knee radiograph in, DICOM MR series, report and page out."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from holoscan.conditions import CountCondition
from monai.deploy.core import Application
from monai.deploy.operators.dicom_data_loader_operator import DICOMDataLoaderOperator
from monai.deploy.operators.dicom_series_selector_operator import DICOMSeriesSelectorOperator

from monai_xray2mri.core.system import Outputs
from monai_xray2mri.dicom.kinds import REPORTS
from monai_xray2mri.dicom.study import Study
from monai_xray2mri.radiograph.kinds import RADIOGRAPHS
from monai_xray2mri.systems.knee_xray2mri.predictor import Options, Xray2MRI
from operators.dicom_series_writer_operator import DICOMSeriesWriterOperator
from operators.grading_operator import GradingOperator
from operators.knee_region_operator import KneeRegionOperator
from operators.slice_diffusion_operator import SliceDiffusionOperator
from settings import Settings


def selection_rule(name: str, modalities: Sequence[str]) -> str:
    """The SDK selector's JSON rule for all series of some modalities."""
    expression = f"^({'|'.join(modalities)})$"
    return json.dumps({"selections": [{"name": name, "conditions": {"Modality": expression}}]})


class Xray2MRIApp(Application):
    """Wires the operators.

    Args:
        settings: how to run.
        study: the files of the study.
        model: the predictor.
        options: of the synthesis.
    """

    def __init__(self, settings: Settings, study: Study, model: Xray2MRI, options: Options) -> None:
        self._settings, self._study, self._model, self._options = settings, study, model, options
        super().__init__([sys.executable, sys.argv[0]])  # the app's options are not for Holoscan's own parser

    def compose(self) -> None:
        """Loader, selectors, knee region, features, slice diffusion, DICOM series."""
        settings, study, model = self._settings, self._study, self._model

        once = CountCondition(self, 1)
        loader = DICOMDataLoaderOperator(self, once, input_folder=settings.input, must_load=False, name="dicom_loader")
        radiographs = DICOMSeriesSelectorOperator(
            self,
            rules=selection_rule("radiographs", RADIOGRAPHS.modalities),
            all_matched=True,
            name="radiograph_selector",
        )
        reports = DICOMSeriesSelectorOperator(
            self, rules=selection_rule("reports", REPORTS.modalities), all_matched=True, name="report_selector"
        )
        region = KneeRegionOperator(
            self,
            study=study,
            side=settings.side,
            region_mm=model.network.region_mm,
            force=settings.force,
            name="knee_region",
        )
        grading = GradingOperator(
            self,
            study=study,
            features=settings.features,
            oai_table=settings.oai_table,
            estimate=settings.estimate,
            name="grading",
        )
        diffusion = SliceDiffusionOperator(
            self, model=model, options=self._options, output=settings.output, name="slice_diffusion"
        )
        writer = DICOMSeriesWriterOperator(
            self,
            output=settings.output,
            outputs=Outputs(
                label=settings.label,
                sample_series=settings.sample_series,
                parametric_map=settings.parametric_map,
            ),
            allow_partial=settings.allow_partial,
            name="dicom_series_writer",
        )

        self.add_flow(loader, radiographs, {("dicom_study_list", "dicom_study_list")})
        self.add_flow(loader, reports, {("dicom_study_list", "dicom_study_list")})
        self.add_flow(radiographs, region, {("study_selected_series_list", "radiographs")})
        self.add_flow(reports, grading, {("study_selected_series_list", "reports")})
        self.add_flow(region, grading, {("plan", "plan")})
        self.add_flow(grading, diffusion, {("plan", "plan")})
        self.add_flow(grading, writer, {("plan", "plan")})
        self.add_flow(diffusion, writer, {("syntheses", "syntheses")})
