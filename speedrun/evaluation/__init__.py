"""Scores, fairness checks and generated text."""
