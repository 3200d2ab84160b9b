"""What runs in the workers of the ready checks, and below them."""
