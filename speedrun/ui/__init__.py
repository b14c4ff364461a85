"""Live view of a race and its summary."""
