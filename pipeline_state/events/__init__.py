"""CloudEvents in and out: what GitHub and CircleCI say, what the pipeline says, and the form in which it travels."""
