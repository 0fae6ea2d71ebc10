"""`python -m ocrkit` is `ocrkit`."""

from ocrkit.cli import main

if __name__ == "__main__":
    main()
