"""Evaluation of X-Diffusion: cases, methods, studies, claims (docs/evaluation/xdiffusion.md)."""
