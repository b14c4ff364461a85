"""NumPy on the processor, for models that are counted."""
