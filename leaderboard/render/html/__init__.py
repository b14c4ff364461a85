"""Leaderboard as a folder of static web pages."""
