"""Entry point of a checkout: `python run.py`; see speedrun.cli.app."""

from speedrun.cli.app import main

if __name__ == "__main__":
    main()
