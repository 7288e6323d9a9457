"""The addresses under /api, a module for each group of them."""
