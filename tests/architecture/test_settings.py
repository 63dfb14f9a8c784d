"""Each setting says what it means, in which unit, by default and within which range; README says the same."""

from typing import Any, get_args

import annotated_types
import pytest

from api.settings import PREFIX, SettingError, Settings
from tests.architecture.sources import ROOT

FIELDS: dict[str, Any] = Settings.__pydantic_fields__  # type: ignore[attr-defined]
WHOLE = sorted(name for name, field in FIELDS.items() if field.annotation is int)


def limits(name: str) -> tuple[int, int]:
    """The least and the largest value of a whole number."""
    found = {type(one): one for one in FIELDS[name].metadata}
    return found[annotated_types.Ge].ge, found[annotated_types.Le].le


def written(value: object) -> str:
    """A value as README writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    return f"`{value}`" if value else "none"


def row(name: str) -> str:
    """The line of README's table about a setting."""
    field = FIELDS[name]
    if name in WHOLE:
        unit = field.json_schema_extra["unit"]
        least, most = limits(name)
        default, values = f"{written(field.default)} {unit}", f"{written(least)} … {written(most)}"
    elif field.annotation is bool:
        default, values = written(field.default), "true, false"
    else:
        default, values = written(field.default), ", ".join(get_args(field.annotation)) or "text"
    return f"| `{PREFIX}{name.upper()}` | {default} | {values} | {field.description} |"


def test_every_setting_says_what_it_means() -> None:
    """A description each, and a unit and a range for each number; the default is within the range."""
    assert [name for name, field in FIELDS.items() if not field.description] == []
    assert [name for name in WHOLE if not FIELDS[name].json_schema_extra["unit"]] == []
    assert [name for name in WHOLE if not limits(name)[0] <= FIELDS[name].default <= limits(name)[1]] == []


def test_readme_says_the_same() -> None:
    """Its table of settings is made of the class, in its order."""
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    shown = [line for line in lines if line.startswith(f"| `{PREFIX}")]

    assert shown == [row(name) for name in FIELDS], "\n" + "\n".join(row(name) for name in FIELDS)


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_out_of_range_is_refused(name: str) -> None:
    """One more than the largest value names the variable and is not taken; the largest is."""
    variable, (_, most) = f"{PREFIX}{name.upper()}", limits(name)

    assert getattr(Settings.from_environment({variable: str(most)}), name) == most
    with pytest.raises(SettingError, match=variable):
        Settings.from_environment({variable: str(most + 1)})
