"""Local documents: parquet, Arrow, JSON, CSV and plain text, in files and folders of them."""
