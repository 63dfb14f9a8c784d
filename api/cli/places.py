"""Places to write to, as options take them: of this machine, no address of another system."""

import os
from pathlib import Path
from typing import Final

import click

from api.cli.console import default_lang
from api.files.atomic import need_here
from api.files.errors import InputError


class OutPath(click.Path[Path]):
    """A path to write to; `s3://…` and `http://…` are none."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, or a usage error."""
        try:
            need_here(Path(value))
        except InputError as error:
            lang = ctx.params.get("lang") if ctx is not None else None
            self.fail(" ".join(error.faults[0].in_words(lang or default_lang())), param, ctx)
        return super().convert(value, param, ctx)


OUT: Final = OutPath()
