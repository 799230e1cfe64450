"""What every tenant table is made of: the manager that raises, the walled foreign key, exact numbers."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, ClassVar, cast

from django import forms
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.expressions import Combinable
from django.utils.translation import gettext_lazy as _

from tenants.context import OtherTenant, current_tenant, scope_is_lifted

MONEY_PLACES = 4
POINTS = 10**MONEY_PLACES  # frames and tables hold money as whole 1/10,000 of a currency unit


@models.CharField.register_lookup
class Begins(models.Lookup):
    """Text that begins so, as it stands: by the operator `^@`, which the wall lets into an index, and LIKE not.

    An index answers where it sorts by bytes (collation "C").
    """

    lookup_name = "begins"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        rhs, values = self.process_rhs(compiler, connection)
        return f"{lhs} ^@ {rhs}", (*params, *values)


class Among(models.Lookup):
    """One of many whole numbers, handed over as one array: `__in` would say each of thousands by itself."""

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        lhs, params = self.process_lhs(compiler, connection)
        return f"{lhs} = ANY(%s::bigint[])", (*params, f"{{{','.join(map(str, self.rhs))}}}")


class TenantQuerySet(models.QuerySet[Any]):
    """Rows of the open scope's tenant; what it writes belongs to that tenant."""

    def update(self, **kwargs: Any) -> int:
        if "tenant" in kwargs or "tenant_id" in kwargs:
            raise OtherTenant("A row never changes its tenant")
        return super().update(**kwargs)

    def bulk_create(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> list[Any]:
        rows = list(objs)
        for row in rows:
            row.adopt()
        return super().bulk_create(rows, *args, **kwargs)

    def bulk_update(self, objs: Iterable[Any], *args: Any, **kwargs: Any) -> int:
        rows = list(objs)
        for row in rows:
            row.adopt()
        return super().bulk_update(rows, *args, **kwargs)


class TenantManager(models.Manager.from_queryset(TenantQuerySet)):  # type: ignore[misc]  # built at run time
    """Filters by the open scope's tenant, and raises NoTenant without one, whatever is asked.

    The database's own policy guards as well; saying `tenant_id = constant` is what keeps it free of cost.
    """

    def get_queryset(self) -> TenantQuerySet:
        rows = cast(TenantQuerySet, super().get_queryset())
        return rows if scope_is_lifted() else rows.filter(tenant_id=current_tenant().pk)


class TenantForeignKey(models.ForeignKey):
    """A foreign key inside one tenant: `TenantWall` makes it (tenant_id, x_id) in the database."""

    def __init__(self, to: Any, on_delete: Any, **kwargs: Any) -> None:
        super().__init__(to, on_delete, **({"db_constraint": False, "db_index": False} | kwargs))


def implied_tenant() -> Any:
    """The `tenant` of a table whose rows all point to another one inside the wall: that row's tenant is checked.

    A second foreign key would say the same again, for a fifth of the time that writing in bulk takes.
    """
    return models.ForeignKey(
        "tenants.Tenant", models.PROTECT, related_name="+", db_index=False, db_constraint=False, editable=False
    )


class TenantModel(models.Model):
    """A row that belongs to one tenant. Its migration carries `TenantWall`; a contract test looks."""

    # Rows that are only ever added: the app role may not change or delete them.
    append_only: ClassVar[bool] = False
    # The day or moment by whose year the table is partitioned (`PartitionByYear`); empty: it is one table.
    partitioned_by: ClassVar[str] = ""
    # In such a table: the last row for each of these says how things stand until the next, and outlives its year.
    stands_for: ClassVar[str] = ""

    tenant = models.ForeignKey("tenants.Tenant", models.PROTECT, related_name="+", db_index=False, editable=False)

    objects: ClassVar[Any] = TenantManager()

    class Meta:
        abstract = True
        base_manager_name = "objects"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.adopt()
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        self.adopt()
        return super().delete(*args, **kwargs)

    def adopt(self) -> None:
        """Put a new row into the open scope's tenant.

        Raises OtherTenant for a row that belongs to another one.
        """
        tenant = current_tenant()
        if self.tenant_id is None:
            self.tenant_id = tenant.pk
        elif self.tenant_id != tenant.pk:
            raise OtherTenant(f"{self._meta.label} belongs to another tenant than the open scope ({tenant.slug})")


class FixedPointField(models.BigIntegerField):
    """An exact decimal of `places` digits, kept as a bigint.

    PostgreSQL's `numeric` comparisons are not leakproof: under row-level security they cannot be index
    conditions. A bigint can, is half the size, and adds up exactly. Python sees Decimal.
    """

    _pyi_private_set_type: Decimal | int | str | Combinable  # type: ignore[assignment]  # what mypy reads of a field
    _pyi_private_get_type: Decimal  # type: ignore[assignment]

    def __init__(self, *args: Any, places: int = MONEY_PLACES, **kwargs: Any) -> None:
        self.places = places
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        return name, path, args, kwargs | {"places": self.places}

    def from_db_value(self, value: int | Decimal | None, expression: Any, connection: Any) -> Decimal | None:
        return None if value is None else Decimal(value).scaleb(-self.places)

    def to_python(self, value: Any) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        return cast(Decimal, forms.DecimalField(decimal_places=self.places).clean(str(value)))

    def get_prep_value(self, value: Any) -> int | None:
        if value is None or hasattr(value, "resolve_expression"):
            return value
        scaled = Decimal(str(value)).scaleb(self.places)
        if scaled != scaled.to_integral_value():
            raise ValidationError(
                _("At most %(places)s decimals."), code="max_decimal_places", params={"places": self.places}
            )
        return int(scaled)

    def formfield(self, **kwargs: Any) -> Any:
        choices: dict[str, Any] = {"form_class": forms.DecimalField, "decimal_places": self.places}
        return models.Field.formfield(self, **(choices | kwargs))


class MoneyField(FixedPointField):
    """Money in the tenant's currency: four decimals, so that prices of three decimals add up exactly."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.pop("places", None)
        super().__init__(*args, places=MONEY_PLACES, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        kwargs.pop("places")
        return name, path, args, kwargs


def manager(queryset: type[TenantQuerySet]) -> Any:
    """The tenant manager that offers the named filters of `queryset`."""
    return cast(Any, TenantManager).from_queryset(queryset)()
