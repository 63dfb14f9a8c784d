"""What riders ask and what people decide: appeals and reviews."""
