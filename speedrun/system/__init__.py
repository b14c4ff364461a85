"""The machine: hardware, processes, files, paths and git."""
