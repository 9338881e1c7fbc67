"""What people do to environments: close and open them, go back, do again, go ahead."""
