"""The door: everything lives in speedrun.cli.app."""

from speedrun.cli.app import main

if __name__ == "__main__":
    main()
