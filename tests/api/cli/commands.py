"""Calling the command as a person does, without a process of its own."""

import json
from typing import Any

from click.testing import CliRunner, Result

from api.cli.main import main


def run(*words: object) -> Result:
    """What `riderscore WORDS…` prints and ends with; a crash is raised."""
    result = CliRunner(env={"LANG": "C.UTF-8", "LC_ALL": "", "LC_MESSAGES": ""}).invoke(
        main, [str(word) for word in words]
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_json(*words: object) -> Any:
    """The JSON document that a command prints."""
    return json.loads(run(*words, "--json").stdout)
