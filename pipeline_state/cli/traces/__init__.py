"""The spans of a commit, drawn as a waterfall."""
