"""`python -m speedrun`, the same as `python run.py`."""

from speedrun.cli.door import main

if __name__ == "__main__":
    main()
