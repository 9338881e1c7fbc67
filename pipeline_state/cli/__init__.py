"""The `gatestream` command. It needs the extra packages of `pip install 'gatestream[cli]'`."""
