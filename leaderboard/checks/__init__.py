"""Checks of records and notes that need no framework: what follows from other numbers does."""
