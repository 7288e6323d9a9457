"""Inference runtimes behind one face, and how pictures are fed to a network."""
