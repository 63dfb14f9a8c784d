"""Event files of all formats in, results out; written whole or not at all."""
