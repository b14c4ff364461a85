"""MLX: Apple's GPUs, and slowly the processor elsewhere."""
