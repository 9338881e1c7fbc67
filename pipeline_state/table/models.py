"""The tables as PynamoDB models that keep every attribute, known or not.

Records are open: people add columns. So the models declare their keys only, keep the item as DynamoDB sent it, and
refuse to be saved: a put would delete columns that this process has never seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Context, Decimal
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any, ClassVar, Self

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.connection import Connection
from pynamodb.expressions.operand import Path
from pynamodb.indexes import GlobalSecondaryIndex, IncludeProjection
from pynamodb.models import Model

from pipeline_state.aws import quick
from pipeline_state.settings import Settings

if TYPE_CHECKING:
    from botocore.session import Session
    from pynamodb.expressions.condition import Condition
    from pynamodb.expressions.update import Action


SCHEMA = 1
"""Version of the items; raised when their form changes, while older forms stay readable."""

EXPIRES_AT = "_expires_at"
"""The attribute that template.yaml names to DynamoDB's time to live: epoch seconds."""


_DIGITS = Context(prec=38, Emin=-200, Emax=200)


class _PlainDeserializer(TypeDeserializer):
    """boto3's own makes objects of binary values that cannot be shown as text, and refuses what DynamoDB writes out.

    A number has 38 digits at most, but 1E+100 comes back with all its zeros.
    """

    def _deserialize_b(self, value: Any) -> bytes:
        return bytes(value)

    def _deserialize_n(self, value: Any) -> Decimal:
        number = Decimal(value)
        return number if len(number.as_tuple().digits) <= _DIGITS.prec else number.normalize(_DIGITS)


type_serializer = TypeSerializer()
type_deserializer = _PlainDeserializer()

Raw = Mapping[str, Any]
"""An item or value in DynamoDB's own notation, {"S": "text"}."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Where the tables are.

    retention_days: how long records and journal are kept that nothing needs any more; 0 keeps them for good.
    endpoint_url and the keys: of a local stack or a person's profile; on AWS the environment and the role give them.
    is_bounded: whether a call that nobody answers is over in the seconds that a function keeps for its result.
    """

    gates: str
    environments: str = ""
    journal: str = ""
    pipelines: str = ""
    region: str = "us-east-1"
    retention_days: int = 0
    endpoint_url: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    session_token: str | None = None
    is_bounded: bool = False


class _OpenItem(Model):
    """An item of which only the key is declared; `raw` is all of it."""

    raw: dict[str, Any]

    class Meta:
        """Filled by `connect`."""

        table_name: ClassVar[str] = ""

    def deserialize(self, attribute_values: dict[str, dict[str, Any]]) -> None:
        """Keep the whole item beside the declared key."""
        self.raw = attribute_values
        super().deserialize(attribute_values)

    @classmethod
    def _instantiate(cls, attribute_values: dict[str, dict[str, Any]]) -> Self:
        item = cls(_user_instantiated=False)
        item.deserialize(attribute_values)
        return item

    def serialize(self, null_check: bool = True) -> dict[str, dict[str, Any]]:  # noqa: ARG002, FBT001, FBT002 - PynamoDB's
        """Refused: saving is a put, and a put would delete the columns that others added."""
        raise TypeError("items are never put, only updated attribute by attribute")


class BySequence(GlobalSecondaryIndex["GateRecord"]):  # type: ignore[no-untyped-call]  # PynamoDB's own hook
    """The commits of a repository in the order of their pushes. Those that no push has told of are not in it."""

    repo = UnicodeAttribute(hash_key=True)
    sequence = NumberAttribute(range_key=True)

    class Meta:
        """As template.yaml has it."""

        index_name = "by_sequence"
        projection = IncludeProjection(["branch", "pushed_at", "_branches"])


class GateRecord(_OpenItem):
    """One commit's row of gates."""

    repo = UnicodeAttribute(hash_key=True)
    commit = UnicodeAttribute(range_key=True)
    by_sequence = BySequence()

    class Meta(_OpenItem.Meta):
        """Filled by `connect`."""


class EnvironmentItem(_OpenItem):
    """An environment's head and leases; beside it, one item a deployment; and all that waits, in one partition."""

    pipeline = UnicodeAttribute(hash_key=True)
    environment = UnicodeAttribute(range_key=True)

    class Meta(_OpenItem.Meta):
        """Filled by `connect`."""


class JournalEntry(_OpenItem):
    """One thing that happened to one commit."""

    record = UnicodeAttribute(hash_key=True)
    entry = UnicodeAttribute(range_key=True)

    class Meta(_OpenItem.Meta):
        """Filled by `connect`."""


class PipelinesItem(_OpenItem):
    """All pipelines of one repository; the key is its name in lower case."""

    repo = UnicodeAttribute(hash_key=True)

    class Meta(_OpenItem.Meta):
        """Filled by `connect`."""


MODELS: dict[str, type[_OpenItem]] = {
    "gates": GateRecord,
    "environments": EnvironmentItem,
    "journal": JournalEntry,
    "pipelines": PipelinesItem,
}


def tables_of(settings: Settings) -> Tables:
    """The tables that a function's settings name."""
    return Tables(
        gates=settings.gates_table,
        environments=settings.environments_table,
        journal=settings.journal_table,
        pipelines=settings.pipelines_table,
        region=settings.aws_region,
        retention_days=settings.retention_days,
        is_bounded=True,
    )


_BOUNDED: dict[str, Any] = {"connect_timeout_seconds": 1, "read_timeout_seconds": 3, "max_retry_attempts": 1}
"""Two tries of at most 4 s each: PynamoDB's own bounds are minutes, more than a function keeps for its result.

A command has the time for a slow line, and nobody repeats it where it was throttled.
"""

_shared: list[Connection] = []
_retention: list[int] = []


class _Connection(Connection):
    """PynamoDB's, whose client is made in half the time."""

    @property
    def session(self) -> Session:
        return quick(super().session)


def connect(tables: Tables) -> None:
    """Point the models at their tables. They share one connection, so that one client is made, at the first call."""
    shared = _Connection(
        region=tables.region,
        host=tables.endpoint_url,
        aws_access_key_id=tables.access_key,
        aws_secret_access_key=tables.secret_key,
        aws_session_token=tables.session_token,
        **(_BOUNDED if tables.is_bounded else {}),
    )
    _shared[:] = [shared]
    _retention[:] = [tables.retention_days]
    for name, model in MODELS.items():
        if not getattr(tables, name):
            continue  # a function that is not given a table does not use it
        meta: Any = model.Meta
        meta.table_name, meta.region, meta.host = getattr(tables, name), tables.region, tables.endpoint_url
        model._connection = None  # noqa: SLF001 - PynamoDB keeps one per class and has no other way to renew it
        table = model._get_connection()  # noqa: SLF001 - the same
        meta_table = table.get_meta_table()
        shared.add_meta_table(meta_table)
        table.connection = shared


def connection() -> Connection:
    """The connection that transactions over several tables go through."""
    return _shared[0]


def expiring(moment: datetime) -> dict[str, int]:
    """The attributes that have DynamoDB delete an item, so many days after a moment; none where all is kept."""
    days = _retention[0]
    return {EXPIRES_AT: int(moment.timestamp()) + days * 86_400} if days else {}


def at(name: str) -> Path:
    """A top-level attribute by its whole name: dots in it do not lead into maps."""
    return Path([name])


def set_all(values: Mapping[str, Any]) -> list[Action]:
    """Updates that set top-level attributes to plain values."""
    return [at(name).set(to_raw(value)) for name, value in values.items()]


def as_read(item: Raw, name: str) -> Condition:
    """The condition that a top-level attribute still is what a raw item says, or still is not there."""
    value = item.get(name)
    return at(name).does_not_exist() if value is None else at(name) == value


def all_of(conditions: Iterable[Condition]) -> Condition:
    """One condition that holds when every one of at least one does."""
    return reduce(and_, conditions)


def to_raw(value: Any) -> dict[str, Any]:
    """A plain value in DynamoDB's notation."""
    return dict(type_serializer.serialize(_writable(value)))


def to_plain(raw: Raw) -> dict[str, Any]:
    """An item's plain values: str, bytes, bool, None, Decimal, list, dict, set."""
    return {name: type_deserializer.deserialize(value) for name, value in raw.items()}


def _writable(value: Any) -> Any:
    if isinstance(value, float):
        return Decimal(str(value))
    if isinstance(value, Mapping):
        return {key: _writable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_writable(inner) for inner in value]
    return value
