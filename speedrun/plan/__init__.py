"""The arithmetic before a race: memory, compute, time, data, hints, and how small is too small."""
