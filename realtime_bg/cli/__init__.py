"""The command line: parsing only; what a command does stands in the room it calls."""
