"""The command that holds a duel, and the runs and entries that it takes as sides."""
