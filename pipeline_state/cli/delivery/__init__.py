"""How well the environments are delivered to, and where the time goes: read, counted, told."""
