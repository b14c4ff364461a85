"""Records: their schema, where they are kept, how they rank."""
