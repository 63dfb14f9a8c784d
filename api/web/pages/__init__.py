"""One module per area, each with a `router`."""
