"""Find the execution settings of the fastest training step, before the clock starts."""
