"""Operators in C++ for processors, where they are faster than PyTorch's."""
