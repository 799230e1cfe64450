from typing import Any, ClassVar

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import tenants.base
from tenants.migrations_ops import RenderedOnce, TenantWall

# A medal ends once, with the reason; nothing else of it changes, whoever asks.
FROZEN = """
CREATE FUNCTION public.medal_frozen() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $body$
DECLARE
    ending CONSTANT text[] := ARRAY['ended_at', 'ended_by_id', 'ended_why', 'updated_at'];
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
       AND to_jsonb(NEW) - ending = to_jsonb(OLD) - ending THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'a medal stays as it was given; it can only be taken back, once and with the reason'
    USING ERRCODE = 'restrict_violation', CONSTRAINT = 'medal_frozen';
END $body$;
REVOKE ALL ON FUNCTION public.medal_frozen() FROM PUBLIC;
CREATE TRIGGER medal_frozen BEFORE UPDATE OR DELETE ON public.incentives_medal
FOR EACH ROW EXECUTE FUNCTION public.medal_frozen();
"""
THAWED = "DROP TRIGGER medal_frozen ON public.incentives_medal; DROP FUNCTION public.medal_frozen();"


def _id() -> Any:
    return ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID"))


def _tenant() -> Any:
    return (
        "tenant",
        models.ForeignKey(
            db_index=False,
            editable=False,
            on_delete=django.db.models.deletion.PROTECT,
            related_name="+",
            to="tenants.tenant",
        ),
    )


def _key(to: str, related_name: str = "+", **more: Any) -> Any:
    return tenants.base.TenantForeignKey(
        db_constraint=False,
        db_index=False,
        on_delete=django.db.models.deletion.PROTECT,
        related_name=related_name,
        to=to,
        **more,
    )


class Migration(RenderedOnce):
    dependencies: ClassVar[list[Any]] = [("incentives", "0003_goals")]

    operations: ClassVar[list[Any]] = [
        migrations.CreateModel(
            name="AwardUsual",
            fields=[
                _id(),
                ("quarter", models.DateField()),
                ("share", models.CharField(max_length=20)),
                ("tier", models.CharField(blank=True, max_length=20)),
                ("customers", models.PositiveIntegerField()),
                ("total", tenants.base.FixedPointField(places=4, verbose_name="sum of shares")),
                _tenant(),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"),
                        models.F("quarter"),
                        models.F("share"),
                        models.F("tier"),
                        name="award_usual_uniq",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="AwardRound",
            fields=[
                _id(),
                ("month", models.DateField(verbose_name="month")),
                ("revision", models.PositiveIntegerField(verbose_name="revision")),
                ("as_of", models.DateField(verbose_name="facts before")),
                ("policy_version", models.IntegerField()),
                ("awarded_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="awarded")),
                ("why", models.CharField(blank=True, max_length=500, verbose_name="why it was corrected")),
                ("facts", models.JSONField(default=dict)),
                ("awarded_by", _key("tenants.member", null=True, verbose_name="awarded by")),
                _tenant(),
            ],
            options={
                "ordering": ["-month", "-revision"],
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("month"), models.F("revision"), name="award_round_uniq"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("revision", 1), models.Q(("why", ""), _negated=True), _connector="OR"),
                        name="award_correction_says_why",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="AwardStanding",
            fields=[
                _id(),
                ("place", models.PositiveIntegerField(null=True, verbose_name="place")),
                ("score", tenants.base.FixedPointField(null=True, places=4, verbose_name="score")),
                ("before", tenants.base.FixedPointField(null=True, places=4, verbose_name="the month before")),
                (
                    "why_not",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("left_out", "left out by a correction"),
                            ("left", "no longer with the firm"),
                            ("new", "came within the month"),
                            ("away", "away for too much of the month"),
                            ("too_few", "too little is known"),
                        ],
                        max_length=10,
                        verbose_name="why without a place",
                    ),
                ),
                ("facts", models.JSONField(default=dict)),
                ("member", _key("tenants.member", verbose_name="person")),
                ("round", _key("incentives.awardround", "standings")),
                ("team", _key("tenants.team", null=True, verbose_name="team")),
                _tenant(),
            ],
            options={
                "abstract": False,
                "base_manager_name": "objects",
                "constraints": [
                    models.UniqueConstraint(
                        models.F("tenant"), models.F("round"), models.F("member"), name="award_standing_uniq"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("place__isnull", False), ("score__isnull", False), ("why_not", "")),
                            models.Q(("place__isnull", True), models.Q(("why_not", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="award_place_or_why_not",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Medal",
            fields=[
                _id(),
                ("month", models.DateField(verbose_name="month")),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("first", "Best manager, first place"),
                            ("second", "Second place"),
                            ("third", "Third place"),
                            ("improved", "Most improved"),
                            ("case", "Best case of the month"),
                        ],
                        max_length=10,
                        verbose_name="medal",
                    ),
                ),
                ("score", tenants.base.FixedPointField(null=True, places=4, verbose_name="score")),
                ("case_id", models.BigIntegerField(null=True)),
                ("customer_id", models.BigIntegerField(null=True)),
                ("reason", models.CharField(blank=True, max_length=500, verbose_name="why")),
                ("facts", models.JSONField(default=dict)),
                ("given_at", models.DateTimeField(default=django.utils.timezone.now, verbose_name="given")),
                ("ended_at", models.DateTimeField(blank=True, null=True, verbose_name="taken back")),
                ("ended_why", models.CharField(blank=True, max_length=500, verbose_name="why it was taken back")),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("ended_by", _key("tenants.member", null=True, blank=True)),
                ("given_by", _key("tenants.member", null=True, verbose_name="given by")),
                ("member", _key("tenants.member", "medals", verbose_name="for")),
                ("round", _key("incentives.awardround", "medals", null=True)),
                ("team", _key("tenants.team", null=True, verbose_name="team")),
                _tenant(),
            ],
            options={
                "ordering": ["-month", "pk"],
                "abstract": False,
                "base_manager_name": "objects",
                "indexes": [
                    models.Index(fields=["tenant", "-month", "-id"], name="medal_newest"),
                    models.Index(fields=["tenant", "member", "-month"], name="medal_of_member"),
                    models.Index(fields=["tenant", "updated_at", "id"], name="medal_by_update"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True)),
                        fields=("tenant", "month", "kind", "member"),
                        name="medal_held_uniq",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("ended_at__isnull", True), ("kind", "case")),
                        fields=("tenant", "month", "team"),
                        name="medal_case_uniq",
                        nulls_distinct=False,
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("case_id__isnull", False),
                                ("kind", "case"),
                                ("round__isnull", True),
                                models.Q(("reason", ""), _negated=True),
                            ),
                            models.Q(
                                models.Q(("kind", "case"), _negated=True),
                                ("case_id__isnull", True),
                                ("round__isnull", False),
                                ("score__isnull", False),
                            ),
                            _connector="OR",
                        ),
                        name="medal_of_ranking_or_case",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("ended_at__isnull", True), ("ended_why", "")),
                            models.Q(("ended_at__isnull", False), models.Q(("ended_why", ""), _negated=True)),
                            _connector="OR",
                        ),
                        name="medal_ended_says_why",
                    ),
                ],
            },
        ),
        TenantWall("AwardUsual"),
        TenantWall("AwardRound"),
        TenantWall("AwardStanding"),
        TenantWall("Medal"),
        migrations.RunSQL(FROZEN, THAWED),
        migrations.AlterField(
            model_name="reward",
            name="customer",
            field=_key("customers.customer", "rewards", null=True, verbose_name="customer"),
        ),
        migrations.AlterField(
            model_name="reward",
            name="kind",
            field=models.CharField(
                choices=[
                    ("staff", "New order of a recommended customer"),
                    ("product", "Spend added by a service upgrade"),
                    ("referral", "Points for a recommendation"),
                    ("step", "Points for a step of the year"),
                    ("award", "Medal of a month"),
                ],
                max_length=8,
                verbose_name="kind",
            ),
        ),
        migrations.AddConstraint(
            model_name="reward",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("customer__isnull", True), ("kind", "award"), ("member__isnull", False)),
                    models.Q(models.Q(("kind", "award"), _negated=True), ("customer__isnull", False)),
                    _connector="OR",
                ),
                name="reward_of_customer_or_medal",
            ),
        ),
    ]
