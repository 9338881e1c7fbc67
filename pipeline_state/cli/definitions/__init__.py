"""pipelines.yaml: read, checked, compared, applied and shown."""
