"""Tests on public data that is not part of the project: `make public MDRP=FOLDER`."""
