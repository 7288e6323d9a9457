"""`python -m realtime_bg`: the same as the command `realtime-bg`."""

from realtime_bg.cli.main import main

if __name__ == "__main__":
    main()
