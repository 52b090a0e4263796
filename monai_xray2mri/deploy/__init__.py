"""``monai-deploy exec`` and what it needs to start."""
