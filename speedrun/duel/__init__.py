"""Paired races of two sides in turn, and the verdict about them."""
