"""From stored trajectories to training files."""
