"""What Gatestream costs, as ratios to the floor of the same work without it: `python -m tests.bench`."""
