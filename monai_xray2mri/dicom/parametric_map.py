"""The spread as a float Parametric Map (DICOM PS3.3 A.75), for viewers that show maps over images (3D Slicer, OHIF).

Two things that the class of highdicom leaves to its caller are set here: frames run in the order of the mean's slices
(some readers go by file order and would show the map turned), and each frame names its anatomy.
"""

from __future__ import annotations

from collections.abc import Sequence

import highdicom as hd
import numpy as np
from pydicom import Dataset
from pydicom.uid import ExplicitVRLittleEndian
from pydicom.valuerep import DA, TM

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.marks import mark_synthetic, model_name, sign_file, software_versions
from monai_xray2mri.dicom.mr_image import SyntheticMRImage
from monai_xray2mri.dicom.own_results import SOFTWARE
from monai_xray2mri.dicom.product import Origin, Product
from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.dicom.source import CHARACTER_SET, copy_patient_and_study, source_moment
from monai_xray2mri.dicom.uids import dataset_digest, deterministic_uid
from monai_xray2mri.dicom.uncertainty import NO_UNITS, SHOWN, STANDARD_DEVIATION, meaning_of
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.types import Volume


class UncertaintyMap(hd.pm.ParametricMap):
    """Standard deviations in units of the intensity range; valid when the constructor returns."""

    def __init__(
        self,
        deviation: Volume,
        product: Product,
        origin: Origin,
        mean: Sequence[SyntheticMRImage],
    ) -> None:
        """Build the map.

        Args:
            deviation: [S,H,W] standard deviations on the grid of the mean.
            product: what the mean shows.
            origin: as for the mean; the date of its source is taken (Content Date is type 1).
            mean: the series of the samples' mean, which it lies on and refers to.

        Raises:
            InputRefused: the source has no date.
            ValueError: the provenance lacks the weights' hash.
        """
        source, provenance = origin.header, origin.provenance
        date, time = source_moment(source)
        if not date:
            raise InputRefused("parametric map", "needs a date", "none in its source")
        placeholder = deterministic_uid("to be replaced by a hash of the content")
        with quiet():
            super().__init__(
                source_images=list(mean),
                pixel_array=deviation.voxels.astype(np.float32),  # [S,H,W]
                series_instance_uid=placeholder,
                series_number=product.numbers.uncertainty_map,
                sop_instance_uid=placeholder,
                instance_number=1,
                manufacturer=SOFTWARE,
                manufacturer_model_name=model_name(provenance),
                software_versions=tuple(software_versions(provenance)),  # type: ignore[arg-type]
                device_serial_number=str(provenance["weights_sha256"])[:64],
                contains_recognizable_visual_features=False,
                real_world_value_mappings=[_mapping()],
                voi_lut_transformations=[_window()],
                transfer_syntax_uid=ExplicitVRLittleEndian,
                content_description="Model spread",
                content_creator_name=SOFTWARE,
                content_label="UNCERTAINTY",
                series_description=f"SYNTHETIC uncertainty map {product.subject}, not for clinical use",
                specific_character_set=CHARACTER_SET,
            )
            for keyword in ("InstanceCreationDate", "InstanceCreationTime"):
                delattr(self, keyword)  # highdicom's are the moment of writing
            self.ContentDate, self.ContentTime = DA(date), TM(time or "000000")
            copy_patient_and_study(source, self)
            mark_synthetic(self, provenance, "Generated the map.")
            self.ImageComments = f"{DISCLAIMER} {meaning_of(product, provenance)}."
            self._name_anatomy(product)
            self._sort_frames(deviation.affine[:3, 2])
            self._name_dimensions(str(mean[0].SeriesInstanceUID))
            digest = dataset_digest(self)
            self.SeriesInstanceUID = deterministic_uid("series", digest)
            self.SOPInstanceUID = deterministic_uid("instance", digest)
            sign_file(self)

    def _name_anatomy(self, product: Product) -> None:
        """Frame Anatomy (PS3.3 C.7.6.16.2.8) for all frames, in place of a series laterality."""
        item = Dataset()
        item.FrameLaterality = "U" if product.laterality is None else product.laterality.value
        item.AnatomicRegionSequence = [product.region]
        self.SharedFunctionalGroupsSequence[0].FrameAnatomySequence = [item]
        if "Laterality" in self:
            del self.Laterality

    def _sort_frames(self, direction: np.ndarray) -> None:
        """Put frames and their groups into the order of the slices, which rises along a direction [3] in LPS."""
        groups = list(self.PerFrameFunctionalGroupsSequence)
        positions = [list(map(float, group.PlanePositionSequence[0].ImagePositionPatient)) for group in groups]
        order = np.argsort(np.array(positions) @ direction)
        frames = np.frombuffer(self["FloatPixelData"].value, "<f4").reshape(len(groups), -1)  # [S,H*W]
        self.PerFrameFunctionalGroupsSequence = [groups[index] for index in order]
        self["FloatPixelData"].value = frames[order].tobytes()

    def _name_dimensions(self, series: str) -> None:
        """Dimension Organization UID (PS3.3 C.7.6.17) from the series that the map lies on; highdicom's is random."""
        name = deterministic_uid("dimensions", series)
        for item in (*self.DimensionOrganizationSequence, *self.DimensionIndexSequence):
            item.DimensionOrganizationUID = name


def _window() -> hd.VOILUTTransformation:
    """From 0 to `SHOWN`; a width below 1 is allowed for the exact function only (C.11.2.1.3)."""
    return hd.VOILUTTransformation(
        window_center=SHOWN / 2, window_width=SHOWN, voi_lut_function=hd.VOILUTFunctionValues.LINEAR_EXACT
    )


def _mapping() -> hd.pm.RealWorldValueMapping:
    """Values as they are."""
    return hd.pm.RealWorldValueMapping(
        lut_label="SD",
        lut_explanation="Standard deviation, in units of the intensity range",
        unit=NO_UNITS,
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=STANDARD_DEVIATION,
    )
