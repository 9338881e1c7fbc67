"""`gatestream dashboard`: the stack as pages, for the person who runs it on their own machine."""
