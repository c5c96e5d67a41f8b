"""What operators see of a worker: metrics, health, and the server that tells them."""
