"""Which settings compute a step fastest here, found by timing them before the clock starts.

probe.py    what a race asks for: the choice, measured now or kept from an earlier race
search.py   which settings are tried in which order, and which win
bench.py    the child process that they are timed in, seen from outside: it may crash or hang
worker.py   and from inside
kept.py     choices on disk
"""
