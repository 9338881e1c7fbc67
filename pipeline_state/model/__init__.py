"""The pure core: what a record, a pipeline and a decision are. Standard library only, no I/O, no clock."""
