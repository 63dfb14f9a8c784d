"""Routes by area; each module exports `router`."""
