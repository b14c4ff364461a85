"""One race, from request to record."""
