"""Estimates of a training before it runs: memory, compute, time, data, and hints."""
