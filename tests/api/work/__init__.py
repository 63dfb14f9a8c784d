"""Work behind the service."""
