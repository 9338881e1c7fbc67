"""What the stack counts and times about itself: read, judged, shown."""
