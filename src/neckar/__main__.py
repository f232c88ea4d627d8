"""``python -m neckar`` is the command ``neckar``."""

from neckar.cli import main

if __name__ == "__main__":
    main()
