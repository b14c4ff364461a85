"""Readers of local files, one a format."""
