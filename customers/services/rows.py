"""What all verbs share: check a row, write what differs, leave one event; the names that must be free."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.utils.translation import gettext as _

from tenants.events import changes_of, record

Outcome = Literal["created", "updated", "unchanged"]
Name = tuple[str, str]
"""What another system calls something: (source, external id)."""

Row = TypeVar("Row", bound=models.Model)
Check = Callable[[Any], dict[str, Any]]
"""What is wrong about a row as a whole: field → ValidationError."""


def no_check(_obj: Any) -> dict[str, Any]:
    """Nothing is wrong about the row as a whole."""
    return {}


def all_of(*checks: Callable[[], object]) -> None:
    """Raises one ValidationError with everything that the checks refuse."""
    wrong: dict[str, Any] = {}
    for check in checks:
        try:
            check()
        except ValidationError as error:
            wrong |= error.error_dict
    if wrong:
        raise ValidationError(wrong)


def error_of(words: str, code: str) -> ValidationError:
    """A refusal in words, with the code that programmes read."""
    return ValidationError(words, code=code)


def below(path: str, error: ValidationError) -> dict[str, Any]:
    """The error's fields, as fields below a path."""
    return {f"{path}/{'external_id' if name == 'value' else name}": found for name, found in error.error_dict.items()}


def for_update(rows: Any) -> Any:
    """The first of `rows`, locked until the transaction ends; None if there is none."""
    # Not FOR UPDATE: rows that point to this one can still be added.
    return rows.select_for_update(of=("self",), no_key=True).first()


def lock(obj: models.Model) -> None:
    """Read the row again and let nobody else change it until the transaction ends."""
    manager: Any = type(obj)._default_manager
    obj.refresh_from_db(from_queryset=manager.select_for_update(of=("self",), no_key=True))


def clean(obj: models.Model, *, skip: Iterable[str] = (), check: Check = no_check) -> None:
    """Raises ValidationError with all that is wrong: each field by itself, then what `check` finds."""
    fields = obj._meta.local_fields
    # Related rows come out of the tenant's own querysets; asking for them again would be a query each.
    unasked = {f.name for f in fields if f.is_relation or f.primary_key or not f.editable} | set(skip)
    wrong: dict[str, Any] = {}
    try:
        obj.clean_fields(exclude=unasked)
    except ValidationError as error:
        wrong = error.error_dict
    wrong |= {name: found for name, found in check(obj).items() if name not in wrong}
    if wrong:
        raise ValidationError(wrong)


def create(
    model: type[Row],
    fields: Mapping[str, Any],
    *,
    required: Iterable[str] = (),
    check: Check = no_check,
    verb: str = "created",
    is_free: bool = False,
) -> Row:
    """A new row; `is_free` says that its name was looked for a moment ago and belongs to nobody."""
    missing = {name: error_of(_("This is needed."), "required") for name in required if fields.get(name) is None}
    obj = model(**fields)
    clean(obj, check=lambda row: missing or check(row))
    if not is_free:
        refuse_taken(obj)
    obj.save(force_insert=True)
    record(verb, obj)
    return obj


def change(
    obj: models.Model,
    fields: Mapping[str, Any],
    *,
    check: Check = no_check,
    verb: str = "updated",
    beside: dict[str, Any] | None = None,
) -> Outcome:
    """Write what differs, with one event; `beside` are changes of rows around this one, already written."""
    columns = {obj._meta.get_field(name).attname: name for name in fields}  # type: ignore[union-attr]  # no generic keys
    values = {
        column: fields[name].pk if isinstance(fields[name], models.Model) else fields[name]
        for column, name in columns.items()
    }
    changes = {columns[column]: pair for column, pair in changes_of(obj, values).items()}
    if not changes and not beside:
        return "unchanged"
    for name in changes:
        setattr(obj, name, fields[name])
    clean(obj, check=check)
    if changes.keys() & {"source", "external_id"}:
        refuse_taken(obj)
    obj.save(update_fields=[*changes, "updated_at"])
    record(verb, obj, changes | (beside or {}))
    return "updated"


def refuse_taken(obj: Any) -> None:
    """Raises ValidationError with the code "taken" when another row of its kind has the same name."""
    if not obj.external_id:
        return
    others = type(obj).objects.filter(source=obj.source, external_id=obj.external_id).exclude(pk=obj.pk)
    if others.exists():
        words = _("%(source)s has one called %(id)s already.") % {"source": obj.source, "id": obj.external_id}
        raise ValidationError({"external_id": error_of(words, "taken")})


def upsert(
    *, find: Callable[[], Row | None], make: Callable[[], Row], change: Callable[[Row], Outcome]
) -> tuple[Row, Outcome]:
    """Change the row that is there, else make one; who loses the race to make it changes the winner's."""
    row = find()
    if row is None:
        try:
            with transaction.atomic():
                return make(), "created"
        except IntegrityError:
            row = find()
            if row is None:
                raise
    with transaction.atomic():
        return row, change(row)
