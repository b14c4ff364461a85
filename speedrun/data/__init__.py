"""From documents to rows: sources, held-out split, tokenizer, token cache, stream."""
