"""Many rows at once, in the way that each engine does fastest: COPY and arrays on PostgreSQL, executemany on SQLite."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, Final, TypeVar

import pyarrow as pa
from pyarrow.csv import WriteOptions, write_csv
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    LargeBinary,
    Row,
    Select,
    SmallInteger,
    Table,
    any_,
    bindparam,
    cast,
    func,
    insert,
    literal,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import Text

from api.db.unit_of_work import ReadUnit, WriteUnit

# Bound parameters of one statement of SQLite; it takes more.
CHUNK: Final = 5_000
_SQL_TYPES: Final = {Text: "text", BigInteger: "bigint", SmallInteger: "smallint", LargeBinary: "bytea"}
_Scalar = str | int | None


def _is_postgresql(unit: ReadUnit | WriteUnit) -> bool:
    return unit.connection.dialect.name == "postgresql"


def _driver(unit: WriteUnit) -> Any:
    """Psycopg's connection, in the unit's transaction."""
    return unit.connection.connection.driver_connection


def array_of(values: Iterable[_Scalar]) -> str:
    """Values as PostgreSQL writes an array: made at once, where its driver would look at each for how to send it."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: _Scalar) -> str:
    if not isinstance(value, str):
        return "NULL" if value is None else str(value)
    if "\\" in value or '"' in value:
        value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def texts(values: Iterable[str]) -> ColumnElement[Any]:
    """Texts as one parameter of PostgreSQL."""
    return cast(literal(array_of(values), Text), postgresql.ARRAY(Text))


def numbers(values: Iterable[int]) -> ColumnElement[Any]:
    """Whole numbers as one parameter of PostgreSQL."""
    return cast(literal(array_of(values), Text), postgresql.ARRAY(BigInteger))


def among(unit: ReadUnit | WriteUnit, column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool]:
    """That a text column is one of some values; on PostgreSQL one parameter, however many they are."""
    if _is_postgresql(unit):
        return column == any_(texts(values))
    return column.in_(list(values))


def pairs_among(
    unit: ReadUnit | WriteUnit,
    columns: tuple[ColumnElement[Any], ColumnElement[Any]],
    pairs: Sequence[tuple[str, str]],
) -> ColumnElement[bool]:
    """That two text columns together are one of some pairs: one look into their index per pair."""
    if _is_postgresql(unit):
        first, second = (texts(pair[k] for pair in pairs) for k in (0, 1))
        wanted = func.unnest(first, second).table_valued("first", "second").render_derived()
        return tuple_(*columns).in_(select(wanted.c.first, wanted.c.second))
    return tuple_(*columns).in_(pairs)


def add_rows(unit: WriteUnit, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows that all have the same columns."""
    if not rows:
        return
    if not _is_postgresql(unit):
        unit.connection.execute(insert(table), [dict(row) for row in rows])
        return
    names = list(rows[0])
    columns = ", ".join(names)
    with _driver(unit).cursor() as cursor, cursor.copy(f"COPY {table.name} ({columns}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([row[name] for name in names])


def add_table(unit: WriteUnit, table: Table, rows: pa.Table) -> None:
    """Insert the rows of a table of texts, whole numbers and bytes, without making each a row of Python where that can be helped."""
    if not rows.num_rows:
        return
    names = ", ".join(rows.column_names)
    if not _is_postgresql(unit):
        blanks = ", ".join("?" * rows.num_columns)
        statement = f"INSERT INTO {table.name} ({names}) VALUES ({blanks})"  # noqa: S608 own names
        values = list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
        unit.connection.exec_driver_sql(statement, values)
        return
    rows = pa.table([_as_csv(column) for column in rows.columns], rows.column_names)
    sink = BytesIO()
    # Everything that is there in quotes: what is not there is null, and an empty text is not.
    write_csv(rows, sink, WriteOptions(include_header=False, quoting_style="all_valid"))
    with _driver(unit).cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN (FORMAT csv)") as copy:
        copy.write(sink.getbuffer())


def _as_csv(column: pa.ChunkedArray) -> pa.ChunkedArray | pa.Array:
    """A column of a type that CSV can hold: bytes in PostgreSQL's hexadecimal form, words in full."""
    if pa.types.is_binary(column.type):
        return pa.array([None if value is None else f"\\x{value.hex()}" for value in column.to_pylist()], pa.string())
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column


def add_missing(unit: WriteUnit, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows whose key nobody else has inserted meanwhile, in the order given."""
    if rows:
        make = postgresql.insert if _is_postgresql(unit) else sqlite.insert
        unit.connection.execute(make(table).on_conflict_do_nothing(), [dict(row) for row in rows])


def add_missing_keys(unit: WriteUnit, table: Table, key: str, values: Sequence[str], rest: Mapping[str, Any]) -> None:
    """Insert rows that differ in their key alone where nobody has inserted that key meanwhile, in the order given."""
    if not values or not _is_postgresql(unit):
        add_missing(unit, table, [{key: value, **rest} for value in values])
        return
    new_keys = func.unnest(texts(values)).table_valued("given").render_derived()
    same = [literal(value, table.c[name].type) for name, value in rest.items()]
    rows = select(new_keys.c.given, *same)
    unit.connection.execute(postgresql.insert(table).from_select([key, *rest], rows).on_conflict_do_nothing())


def change_rows(unit: WriteUnit, table: Table, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Set all columns but the key of rows that are there."""
    if not rows:
        return
    names = [name for name in rows[0] if name != key]
    if not _is_postgresql(unit):
        change = update(table).where(table.c[key] == bindparam(f"of_{key}"))
        change = change.values({name: bindparam(f"new_{name}") for name in names})
        unit.connection.execute(
            change, [{f"of_{key}": row[key]} | {f"new_{name}": row[name] for name in names} for row in rows]
        )
        return
    columns = [key, *names]
    # Blobs as binary arrays: as text each byte would be escaped. Reading their values needs the types spelt out.
    blobs = {name for name in columns if isinstance(table.c[name].type, LargeBinary)}
    arrays = ", ".join(
        f"%({name}){'b' if name in blobs else 's'}::{_SQL_TYPES[type(table.c[name].type)]}[]" for name in columns
    )
    sets = ", ".join(f"{name} = changed.{name}" for name in names)
    statement = (
        f"UPDATE {table.name} SET {sets} FROM unnest({arrays}) AS changed ({', '.join(columns)}) "  # noqa: S608 own names
        f"WHERE {table.name}.{key} = changed.{key}"
    )
    with _driver(unit).cursor() as cursor:
        cursor.execute(
            statement,
            {
                name: values if name in blobs else array_of(values)
                for name in columns
                for values in ([row[name] for row in rows],)
            },
        )


def rows_among(
    unit: ReadUnit | WriteUnit, query: Select[Any], column: ColumnElement[Any], values: Iterable[str]
) -> Iterator[Row[*tuple[Any, ...]]]:
    """Rows of a query whose text column is one of some values, however many they are: in runs of values in order."""
    for some in in_chunks(sorted(set(values))):
        yield from unit.connection.execute(query.where(among(unit, column, some)))


def rows_of_pairs(
    unit: ReadUnit | WriteUnit,
    query: Select[Any],
    columns: tuple[ColumnElement[Any], ColumnElement[Any]],
    pairs: Iterable[tuple[str, str]],
) -> Iterator[Row[*tuple[Any, ...]]]:
    """Rows of a query whose two text columns together are one of some pairs, as `rows_among`."""
    for some in in_chunks(sorted(set(pairs))):
        yield from unit.connection.execute(query.where(pairs_among(unit, columns, some)))


_ROWS_READ: Final = 1_000


def read_table(unit: ReadUnit | WriteUnit, query: Select[Any], schema: pa.Schema) -> pa.Table:
    """Rows of a query as a table, column by column in the order of the schema; in parts, so that the rows are not held."""
    parts = [schema.empty_table()]
    for rows in unit.connection.execute(query).partitions(_ROWS_READ):
        columns = zip(zip(*rows, strict=True), schema, strict=True)
        parts.append(pa.table([pa.array(values, field.type) for values, field in columns], schema))
    return pa.concat_tables(parts).combine_chunks()


Value = TypeVar("Value")


def in_chunks(values: Collection[Value]) -> Iterable[Sequence[Value]]:
    """Values in runs that one statement can take."""
    ordered = list(values)
    for first in range(0, len(ordered), CHUNK):
        yield ordered[first : first + CHUNK]
