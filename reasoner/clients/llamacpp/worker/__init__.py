"""What runs in the worker process of a local model; the parent imports none of it."""
