"""Stands in for torchvision, whose builds fit one build of torch each; nothing that is tested calls it."""
