"""Publication of a finished run, as a folder or as a model of the hub, with a model card."""
