"""The door: everything lives in speedrun.cli."""

from speedrun.cli import main

if __name__ == "__main__":
    main()
