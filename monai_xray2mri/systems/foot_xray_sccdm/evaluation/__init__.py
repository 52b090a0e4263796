"""Evaluation of SCCDM: cases, measures, methods, studies, claims (docs/evaluation/sccdm.md)."""
