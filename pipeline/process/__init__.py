"""What every process of ours is made of: logs, an end, interrupts, memory, waiting."""
