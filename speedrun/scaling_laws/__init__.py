"""Scaling laws: their form, their fit and the size they predict."""
