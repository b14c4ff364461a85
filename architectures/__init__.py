"""One folder an architecture; its name is what `--arch` takes."""
