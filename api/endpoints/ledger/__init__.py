"""Events and orders: routes."""
