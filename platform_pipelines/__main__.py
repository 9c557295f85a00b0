"""``python -m platform_pipelines`` is the command line ``pipelines``."""

from platform_pipelines.cli.main import main

if __name__ == "__main__":
    main()
