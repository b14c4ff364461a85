"""Records of races: schema, files, tracks and statistics."""
