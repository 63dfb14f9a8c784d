"""One run over event files: score, compare, impact, carried state; on this machine or on Ray."""
