"""Work that goes on behind the service: long work in processes of its own, deliveries, the tick."""
