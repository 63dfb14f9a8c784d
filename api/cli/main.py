"""The `riderscore` command."""
import click
@click.group()
def main() -> None:
    """Service scores for delivery riders."""
