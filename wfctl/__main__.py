"""``python -m wfctl``."""

from wfctl.cli.main import main

if __name__ == "__main__":
    main()
