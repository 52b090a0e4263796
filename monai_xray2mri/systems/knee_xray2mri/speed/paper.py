"""The network of the paper's size, which nobody has trained here: what it costs does not depend on its weights."""

from __future__ import annotations

from pathlib import Path

import torch

from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion


def paper_network(bundle: Path) -> SliceDiffusion:
    """The paper's network by the bundle's configurations, with weights of torch's generator, equal in all processes."""
    from monai_xray2mri.training.configurations import configuration_files
    from monai_xray2mri.training.configured import read_configurations

    parser = read_configurations(configuration_files(bundle, ("paper",), bundle), {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: SliceDiffusion = parser.get_parsed_content("network_def").eval()
    return network
