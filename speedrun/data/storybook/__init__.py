"""Built-in data set: children's stories from a seeded grammar, endless and offline."""
