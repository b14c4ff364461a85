"""Entry point of a checkout: `python run.py`; see speedrun.cli.door."""

from speedrun.cli.door import main

if __name__ == "__main__":
    main()
