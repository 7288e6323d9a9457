"""How many files and sockets this process may have open."""

import sys

USUAL = 1024  # where the system does not say


def most_handles() -> int:
    """The limit of open files and sockets."""
    if sys.platform == "win32":
        return USUAL
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return USUAL if soft == resource.RLIM_INFINITY else soft
