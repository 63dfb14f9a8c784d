"""`python -m docs.generated`: writes the pages of docs/reference that are made from the code itself.

Each page is a function from the code to Markdown; `tests/docs/test_generated.py` fails when a page is not what its
function makes. Words come from where they are used: help of commands, descriptions of fields, the catalogs.
"""

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, get_args

import annotated_types
import click
from numpydoc.docscrape import get_doc_object

from docs import contract
from docs.licences import licences_page

if TYPE_CHECKING:
    from rules.book_keys import BookKey

PLACE: Final = Path(__file__).parent / "reference"
Schema = Mapping[str, Any]


def main() -> int:
    """Write every page; print the names of those that changed."""
    for name, page in PAGES.items():
        path, content = PLACE / name, page()
        if not path.exists() or path.read_text("utf-8") != content:
            path.parent.mkdir(exist_ok=True)
            path.write_text(content, encoding="utf-8")
            print(path.name)
    return 0


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that can be called, with the words that call it."""
    from api.cli.main import main as riderscore

    def below(group: click.Command, path: str) -> Iterator[tuple[str, click.Command]]:
        if not isinstance(group, click.Group):
            yield path, group
            return
        with click.Context(group) as context:
            for name in group.list_commands(context):
                command = group.get_command(context, name)
                if command is not None:
                    yield from below(command, f"{path} {name}")

    yield from below(riderscore, "riderscore")


def command_line() -> str:
    """`riderscore`, command by command: usage, arguments, options with values and defaults."""
    lines = _head(
        "Command line",
        "Every command, as `--help` prints it. `--lang zh` or `en` and `--json` are understood where they are listed.",
    )
    lines += [
        "Data goes to stdout, progress and messages to stderr. Exit codes: 0 done; 1 the run failed; 2 wrong usage or",
        "unusable input; 3 differences or faults found; 130 interrupted.",
        "",
    ]
    for path, command in commands():
        context = click.Context(command, info_name=path)
        usage = command.get_usage(context).split(": ", 1)[1]
        lines += [f"## {path}", "", "```text", " ".join(usage.split()), "```", "", _prose(command.help), ""]
        options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
        lines += _table(("option", "values", "default", "meaning"), [_option_row(option) for option in options])
    return _page(lines)


def _option_row(option: click.Option) -> tuple[str, str, str, str]:
    names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
    if option.is_flag:
        values = ""
    elif isinstance(option.type, click.Choice):
        values = ", ".join(f"`{choice}`" for choice in option.type.choices)
    else:
        values = (option.metavar or option.type.name).upper()
    known = option.default if isinstance(option.default, str | int | float) and not option.is_flag else None
    default = "needed" if option.required else "" if known in (None, "") else f"`{known}`"
    return names, values + (", several times" if option.multiple else ""), default, option.help or ""


def http() -> str:
    """Every route of the HTTP API."""
    document = _openapi()
    lines = _head(
        "HTTP API",
        "Every route. `/openapi.json` of a running service says the same to programs; `/docs` shows it with a form to try each.",
    )
    lines += [_prose(document["info"]["description"]), ""]
    told = {tag["name"]: tag["description"] for tag in document["tags"]}
    operations = list(_operations(document))
    for tag in dict.fromkeys(operation["tags"][0] for _, _, operation in operations):
        lines += [f"## {tag}", "", told.get(tag, ""), ""]
        for method, path, operation in operations:
            if operation["tags"][0] == tag:
                lines += _operation(method, path, operation, document["components"]["parameters"])
    return _page(lines)


def _operations(document: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method.upper(), path, operation


def _operation(method: str, path: str, operation: Schema, shared: Mapping[str, Schema]) -> list[str]:
    scopes = ", ".join(f"`{scope}`" for scope in operation.get("x-scopes", ()))
    lines = [f"### {method} {path}", "", _prose(operation.get("description") or operation["summary"]), ""]
    lines += [f"Operation `{operation['operationId']}`; " + (f"scope {scopes}." if scopes else "open to all."), ""]
    body = operation.get("requestBody", {}).get("content", {})
    if body:
        kinds = ", ".join(f"`{media}`: {_kind(content.get('schema', {}))}" for media, content in body.items())
        lines += [f"Body: {kinds}.", ""]
    lines += _table(
        ("parameter", "where", "kind", "meaning"),
        [
            (
                f"`{parameter['name']}`" + (" (needed)" if parameter.get("required") else ""),
                parameter["in"],
                _kind(parameter["schema"]),
                parameter.get("description", ""),
            )
            for parameter in (_resolved(each, shared) for each in operation.get("parameters", ()))
        ],
    )
    answers = [
        (status, _kind(next(iter(answer["content"].values())).get("schema", {})) if "content" in answer else "")
        for status, answer in operation["responses"].items()
        if status < "400"
    ]
    told = "; ".join(f"{status}{f': {kind}' if kind else ''}" for status, kind in answers)
    problems = ", ".join(status for status in operation["responses"] if status >= "400")
    return [*lines, f"Answers {told}." + (f" Problems: {problems}." if problems else ""), ""]


def settings() -> str:
    """Every variable of the environment."""
    from api.settings import PREFIX, Settings

    rows = []
    for name, field in Settings.__pydantic_fields__.items():  # type: ignore[attr-defined]
        default, values = _shown(field.default), "text"
        if field.annotation is int:
            least, most = _limits(field.metadata)
            default = f"{default} {field.json_schema_extra['unit']}"
            values = f"{_shown(least)} … {_shown(most)}"
        elif field.annotation is bool:
            values = "true, false"
        elif get_args(field.annotation):
            values = ", ".join(get_args(field.annotation))
        rows.append((f"`{PREFIX}{name.upper()}`", default, values, field.description))
    lines = _head("Settings", "Variables of the environment that the service reads when it starts.")
    return _page(lines + _table(("setting", "default", "values", "meaning"), rows))


def _limits(metadata: Iterable[object]) -> tuple[int, int]:
    least = [limit.ge for limit in metadata if isinstance(limit, annotated_types.Ge)]
    most = [limit.le for limit in metadata if isinstance(limit, annotated_types.Le)]
    return int(str(least[0])), int(str(most[0]))


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}".replace(",", " ")
    return f"`{value}`" if value else "none"


def errors() -> str:
    """Problems of the API, reasons for which rows are rejected, faults of rule books."""
    from api.endpoints.common.problems import STATUS, template_of
    from rules.text import catalog

    words = catalog("en")
    reasons = {key.partition(".")[2]: said for key, said in words.items() if key.startswith("reject.")}
    faults = {key.partition(".")[2]: said for key, said in words.items() if key.startswith("fault.")}
    lines = _head("Errors", "Every code that a program may meet, with its words; `…` stands for what a case fills in.")
    lines += [
        "## Problems of the HTTP API",
        "",
        "Each is an RFC 9457 document with `type` = `/problems/CODE`; words come in Chinese or English.",
        "",
    ]
    problems = sorted((status, code) for code, status in STATUS.items())
    lines += _table(
        ("status", "code", "words"),
        [(str(status), f"`{code}`", _blank(template_of(code, "en"))) for status, code in problems],
    )
    lines += ["## Reasons for which a row is rejected", "", "In `rejects.ndjson`, and in answers to posts.", ""]
    lines += _table(("reason", "words"), [(f"`{reason}`", _blank(said)) for reason, said in sorted(reasons.items())])
    lines += [
        "## Faults and warnings of documents",
        "",
        "Of rule books, deployment tables, scenarios: what `books check` and the console name, each with a remedy.",
        "",
    ]
    lines += _table(
        ("code", "words", "remedy"),
        [(f"`{code}`", _blank(said), _blank(words.get(f"remedy.{code}", ""))) for code, said in sorted(faults.items())],
    )
    return _page(lines)


def webhooks() -> str:
    """Every message to a webhook."""
    document = _openapi()
    lines = _head(
        "Webhooks",
        "Messages that the service sends (Standard Webhooks).",
    )
    for name, methods in document.get("webhooks", {}).items():
        operation = methods["post"]
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        lines += [f"## {name}", "", _prose(operation.get("description") or operation["summary"]), ""]
        lines += _fields(_resolved(schema, document["components"]["schemas"]))
    return _page(lines)


def book() -> str:
    """Every key of a rule book, and the operators of conditions."""
    from rules.book_keys import book_keys
    from rules.json_form import book_schema

    schema = book_schema()
    lines = _head(
        "Rule books",
        "Every key of a rule book, in TOML, JSON, the API and the console alike.",
    )
    lines += [
        "## Operators of conditions",
        "",
        "A condition is a fact and a range or a list; all conditions of a rule must hold. One on an unknown fact does not.",
        "",
    ]
    lines += _table(
        ("operator", "holds where the fact is", "example"),
        [
            ("`over`", "more than the limit", "`late_min = { over = 0 }`"),
            ("`from`", "the limit or more", "`late_min = { from = 5 }`"),
            ("`up_to`", "the limit or less", "`late_min = { up_to = 5 }`"),
            ("`below`", "less than the limit", "`time_of_day = { from = 22:00:00, below = 23:59:00 }`"),
            ("a list", "one of those named", '`rider_kind = ["crowdsourced"]`'),
        ],
    )
    keys = book_keys()
    beside = {name: field for name, field in schema["properties"].items() if name not in {key.path for key in keys}}
    tables = {table: [key for key in keys if key.table == table] for table in dict.fromkeys(key.table for key in keys)}
    bilingual = [
        table for table, inside in tables.items() if [key.path for key in inside] == [f"{table}.zh", f"{table}.en"]
    ]
    for table in (table for table in tables if table not in bilingual[1:]):
        title = "Texts in Chinese and English" if table in bilingual else table or "The document"
        lines += [f"## {title}", ""]
        if table in bilingual:
            lines += [f"Each of {', '.join(f'`{name}`' for name in bilingual)}.", ""]
        lines += _table(
            ("key", "kind", "unit", "range", "default", "meaning", "example"),
            [_key_row(key) for key in tables[table]],
        )
        if not table:
            lines += ["Of a file alone:", "", *_fields({"properties": beside})]
    return _page(lines)


def _key_row(key: "BookKey") -> tuple[str, ...]:
    name = key.path.rpartition(".")[2]
    kind = ", ".join(f"`{choice}`" for choice in key.choices) or " or ".join(key.types)
    low = "" if key.lowest is None else f"{'>' if key.is_lowest_excluded else '≥'} {_plain_number(key.lowest)}"
    high = "" if key.highest is None else f"≤ {_plain_number(key.highest)}"
    default = key.when_missing if key.default is None else f"`{_json(key.default)}`"
    example = "" if key.example is None else f"`{_json(key.example)}`"
    needed = " (needed)" if key.is_required else ""
    return f"`{name}`{needed}", kind, key.unit, ", ".join(filter(None, (low, high))), default, key.meaning, example


def _plain_number(value: float) -> str:
    return f"{value:,g}".replace(",", " ") if value % 1 else f"{int(value):,}".replace(",", " ")


def _json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def events() -> str:
    """Every field of an event."""
    from api.files.event_json_schema import event_schema
    from rules.events import KIND_MEANING

    schema = event_schema()
    lines = _head(
        "Events",
        "What goes in: one fact about one rider a row, as CSV, NDJSON, Parquet or JSON."
        " `riderscore schema events` prints this for programs.",
    )
    lines += [_prose(schema["description"]), "", "## Fields", "", *_fields(schema), "## Kinds", ""]
    lines += _table(("kind", "meaning"), [(f"`{kind}`", meaning) for kind, meaning in KIND_MEANING.items()])
    return _page(lines)


def ledger() -> str:
    """Every column of the ledger's two files."""
    from api.files.entry_json_schema import entry_schema, rider_schema

    lines = _head("Ledger", "What comes out: each change of a score, and where each rider stands after all of them.")
    for file, schema in (("entries.parquet", entry_schema()), ("riders.parquet", rider_schema())):
        lines += [f"## {file}", "", _prose(schema.get("description")), "", *_fields(schema)]
    return _page(lines)


def python() -> str:
    """Every public name of `import riderscore as rs`."""
    import riderscore as rs

    lines = _head("Python", "`import riderscore as rs`: every public name. By example: `examples/`, and the tutorials.")
    names = [*rs.__all__, *(f"books.{name}" for name in rs.books.__all__)]
    for name in sorted(names, key=str.lower):
        value = getattr(rs.books, name.partition(".")[2]) if "." in name else getattr(rs, name)
        if inspect.ismodule(value):
            continue
        lines += [f"## rs.{name}", "", *_signature(name, value), *_docstring(value)]
        for member, part in (
            inspect.getmembers(value) if inspect.isclass(value) and value.__module__.startswith("rider") else ()
        ):
            if not member.startswith("_") and inspect.getdoc(part) and member in vars(value):
                wrapped = getattr(part, "fget", None) or getattr(part, "func", part)
                lines += [f"### rs.{name}.{member}", "", *_signature(f"….{member}", wrapped), *_docstring(wrapped)]
    return _page(lines)


def _signature(name: str, value: Any) -> list[str]:
    if not inspect.isfunction(value):
        return []
    signature = inspect.signature(value)
    asked = [parameter.replace(annotation=parameter.empty) for parameter in signature.parameters.values()]
    text = str(signature.replace(parameters=asked, return_annotation=signature.empty))
    return ["```text", f"{'' if name.startswith('…') else 'rs.'}{name}{text}", "```", ""]


def _docstring(value: Any) -> list[str]:
    """A docstring in NumPy form as Markdown: prose, and a list for each section."""
    document = get_doc_object(value)
    lines = [_prose("\n".join((*document["Summary"], "", *document["Extended Summary"]))), ""]
    for section in ("Parameters", "Returns", "Yields", "Raises"):
        if document[section]:
            lines += [f"**{section}**", ""]
            lines += [_item(entry) for entry in document[section]]
            lines += [""]
    return lines


def _item(entry: Any) -> str:
    name = ", ".join(f"`{part}`" for part in (entry.name or entry.type).split(", "))
    return f"- {name}: {_prose(chr(10).join(entry.desc))}"


def _openapi() -> dict[str, Any]:
    return contract.openapi()


def _resolved(schema: Schema, parts: Mapping[str, Schema]) -> Schema:
    return parts[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _fields(schema: Schema) -> list[str]:
    needed = set(schema.get("required", ()))
    rows = [
        (
            f"`{name}`" + (" (needed)" if name in needed else ""),
            _kind(field),
            _default(field),
            field.get("description", ""),
            ", ".join(f"`{_json(example)}`" for example in field.get("examples", ())),
        )
        for name, field in schema.get("properties", {}).items()
    ]
    return _table(("name", "kind", "default", "meaning", "example"), rows)


def _default(field: Schema) -> str:
    default = field.get("default")
    return "" if default in (None, "", [], {}) else f"`{_json(default)}`"


def _kind(schema: Schema) -> str:
    """Type, choices and range of a value, in a few words."""
    if "$ref" in schema:
        return schema["$ref"].rpartition("/")[2]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            kinds = dict.fromkeys(_kind(part) for part in schema[several] if part.get("type") != "null")
            return " or ".join(kind for kind in kinds if kind)
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"] if value is not None)
    types = schema.get("type", "")
    kind = " or ".join(name for name in ([types] if isinstance(types, str) else types) if name != "null")
    if kind == "array":
        return f"list of {_kind(schema.get('items', {})) or 'values'}"
    if "format" in schema:
        kind = f"{kind} ({schema['format']})"
    return f"{kind}{_range(schema)}"


def _range(schema: Schema) -> str:
    least, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    most, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    low = f"≥ {least}" if least is not None else f"> {above}" if above is not None else ""
    high = f"≤ {most}" if most is not None else f"< {below}" if below is not None else ""
    limits = ", ".join(limit for limit in (low, high) if limit)
    return f", {limits}" if limits else ""


def _head(title: str, sentence: str) -> list[str]:
    return [
        "<!-- Made by `python -m docs.generated`; edit the code, not this page. -->",
        f"# {title}",
        "",
        sentence,
        "",
    ]


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    """A table without the columns that are empty in every row."""
    kept = [column for column in range(len(head)) if any(row[column] for row in rows)]
    if not kept:
        return []

    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(_cell(cells[column]) for column in kept) + " |"

    return [line(head), "|" + "---|" * len(kept), *(line(row) for row in rows), ""]


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|")


def _prose(words: str | None) -> str:
    """Paragraphs of a docstring, each on one line."""
    paragraphs = re.split(r"\n\s*\n", words or "")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs).replace("\b", "").strip()


def _blank(words: str) -> str:
    """A template with what is filled in left out."""
    return re.sub(r"(?<!\{)\{[^{}]*\}(?!\})", "…", words).replace("{{", "{").replace("}}", "}")


def _page(lines: list[str]) -> str:
    text = "\n".join(lines)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "command-line.md": command_line,
    "http.md": http,
    "settings.md": settings,
    "errors.md": errors,
    "webhooks.md": webhooks,
    "book.md": book,
    "events.md": events,
    "ledger.md": ledger,
    "python.md": python,
    **contract.FILES,
    "licences.md": licences_page,
}

if __name__ == "__main__":
    sys.exit(main())
