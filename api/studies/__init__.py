"""Studies and impacts: designed, run, kept as jobs with a lease."""
