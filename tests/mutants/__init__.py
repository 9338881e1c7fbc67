"""What the tests do not notice when one thing in the code changes: `python -m tests.mutants`, by way of mutmut."""
