"""MONAI Label app: a bundle of monai_xray2mri. Started by ``monailabel start_server --app`` this folder."""

from monai_xray2mri.label.app import SynthesisApp

__all__ = ["SynthesisApp"]  # MONAI Label takes the class in this file that derives from MONAILabelApp
