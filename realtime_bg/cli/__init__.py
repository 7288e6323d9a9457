"""The command line: parsing and printing only; one module per command."""
