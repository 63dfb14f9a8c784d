"""What all routes and pages share: problems, sessions, limits, formats."""
