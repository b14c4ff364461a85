"""Energy and heat of a training, from the counters that a machine lets its users read."""
