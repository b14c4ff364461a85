"""Architectures from folders, and what they must define."""
