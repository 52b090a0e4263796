"""``python app_package`` and ``monai-deploy exec app_package``."""

import sys

from launch import main

if __name__ == "__main__":
    sys.exit(main())
