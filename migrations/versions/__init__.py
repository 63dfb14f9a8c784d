"""One module a revision, oldest first by number; once released, never edited."""
