"""The command line where the command itself is not on the path: ``python -m churnkit``."""

from __future__ import annotations

from churnkit.cli import main

if __name__ == "__main__":
    main()
