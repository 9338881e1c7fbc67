"""The recorded history of a repository, decided by a changed file."""
