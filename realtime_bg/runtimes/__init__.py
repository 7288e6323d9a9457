"""Inference runtimes behind a common interface, and preparing pictures as input of a network."""
