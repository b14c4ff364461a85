"""Renderers of the leaderboard: terminal, Markdown, JSON and web page."""
