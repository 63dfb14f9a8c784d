"""What all tables have in common: their register, and types that both engines understand."""

from typing import Final

from sqlalchemy import BigInteger, Integer, MetaData, Text

metadata: Final = MetaData()
# Ids sort by their bytes on both engines: the order in which riders are locked and entries are read.
Id: Final = Text().with_variant(Text(collation="C"), "postgresql")
# SQLite numbers rows by itself only where the key is an INTEGER.
Serial: Final = BigInteger().with_variant(Integer(), "sqlite")
