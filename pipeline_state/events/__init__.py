"""CloudEvents in and out: what GitHub and CircleCI say, what the pipeline says, and the form in which all of it travels."""
