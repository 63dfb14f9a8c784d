"""Each setting says what it means, in which unit, by default and within which range."""

from typing import Any

import annotated_types
import pytest

from api.settings import PREFIX, SettingError, Settings

FIELDS: dict[str, Any] = Settings.__pydantic_fields__  # type: ignore[attr-defined]
WHOLE = sorted(name for name, field in FIELDS.items() if field.annotation is int)


def limits(name: str) -> tuple[int, int]:
    """The least and the largest value of a whole number."""
    found = {type(one): one for one in FIELDS[name].metadata}
    return found[annotated_types.Ge].ge, found[annotated_types.Le].le


def test_every_setting_says_what_it_means() -> None:
    """A description each, and a unit and a range for each number; the default is within the range."""
    assert [name for name, field in FIELDS.items() if not field.description] == []
    assert [name for name in WHOLE if not FIELDS[name].json_schema_extra["unit"]] == []
    assert [name for name in WHOLE if not limits(name)[0] <= FIELDS[name].default <= limits(name)[1]] == []


@pytest.mark.parametrize("name", WHOLE)
def test_what_is_out_of_range_is_refused(name: str) -> None:
    """One more than the largest value names the variable and is not taken; the largest is."""
    variable, (_, most) = f"{PREFIX}{name.upper()}", limits(name)

    assert getattr(Settings.from_environment({variable: str(most)}), name) == most
    with pytest.raises(SettingError, match=variable):
        Settings.from_environment({variable: str(most + 1)})
