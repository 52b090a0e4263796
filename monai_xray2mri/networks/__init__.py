"""Autoencoder, embeddings of the condition, denoiser."""
