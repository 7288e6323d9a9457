"""The command line: parsing only. What a command does is in the room it calls."""
