"""PyTorch on CUDA, Apple's MPS and the processor."""
