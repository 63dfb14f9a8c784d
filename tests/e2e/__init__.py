"""Pages in a real browser, on a real server with a seeded city."""
