"""Standing of entries: which runs count, who holds the record, and how sure that is."""
