"""The composition of the service: what starts with it, what stands before every route."""
