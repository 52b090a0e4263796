"""``python -m monai_xray2mri.deploy exec``."""

import sys

from monai_xray2mri.deploy.command import main

if __name__ == "__main__":
    sys.exit(main())
