"""Several processes that race together."""
