"""A leaderboard shown: in the terminal, as Markdown, as JSON, as a page."""
