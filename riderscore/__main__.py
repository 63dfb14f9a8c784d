"""`python -m riderscore` is `riderscore`."""

from api.cli.main import main

if __name__ == "__main__":
    main(prog_name="riderscore")
