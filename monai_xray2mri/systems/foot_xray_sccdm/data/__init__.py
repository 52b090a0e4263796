"""Pairs of photograph and radiograph to train on: ``pairs`` reads folders of them, ``stream`` draws batches."""
