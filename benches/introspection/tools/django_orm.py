"""Django's introspection: connection set-up, the API behind inspectdb, inspectdb itself, the plan of migrations."""

import io
import os

import django
from django.conf import settings
from django.core.management import call_command

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"], "USER": os.environ["PGUSER"],
                           "PASSWORD": os.environ["PGPASSWORD"], "HOST": os.environ["PGHOST"], "PORT": os.environ["PGPORT"]}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "django.contrib.postgres"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField", USE_TZ=True,
)
django.setup()
from django.db import connection, models  # noqa: E402


def attempt(name, call):
    try:
        print(name, call(), flush=True)
    except Exception as error:
        print(name, "ERROR", type(error).__name__, str(error).splitlines()[0], flush=True)


def ordered(value):
    if isinstance(value, dict):
        return {key: ordered(value[key]) for key in sorted(value, key=str)}
    return value


def told(command, *arguments, **options):
    out = io.StringIO()
    call_command(command, *arguments, stdout=out, no_color=True, **options)
    return "\n" + out.getvalue()


introspection = connection.introspection
with connection.cursor() as cursor:
    attempt("version", lambda: connection.pg_version)
    attempt("features", lambda: (connection.features.has_jsonb_agg if hasattr(connection.features, "has_jsonb_agg") else True))
    attempt("tables", lambda: sorted(introspection.get_table_list(cursor)))
    attempt("names", lambda: introspection.table_names(include_views=True))
    for table in ("customers", "orders", "order_lines", "countries", "events", "Odd Names", "open_orders", "monthly", "rooms", "hidden_globex"):
        attempt(f"{table} description", lambda: introspection.get_table_description(cursor, table))
        attempt(f"{table} sequences", lambda: introspection.get_sequences(cursor, table))
        attempt(f"{table} relations", lambda: ordered(introspection.get_relations(cursor, table)))
        attempt(f"{table} key", lambda: introspection.get_primary_key_column(cursor, table))
        attempt(f"{table} constraints", lambda: ordered(introspection.get_constraints(cursor, table)))
attempt("inspectdb", lambda: told("inspectdb", include_views=True, include_partitions=True))
attempt("inspectdb hidden", lambda: told("inspectdb", "hidden_globex"))
attempt("showmigrations", lambda: told("showmigrations"))
attempt("plan", lambda: told("migrate", plan=True))
attempt("check", lambda: told("check", databases=["default"]))


class Order(models.Model):
    status = models.TextField()
    total = models.DecimalField(max_digits=12, decimal_places=2)
    customer_id = models.BigIntegerField()

    class Meta:
        managed, app_label, db_table = False, "auth", "orders"


attempt("rows", lambda: list(Order.objects.order_by("id").values_list("id", "status", "total")))
attempt("server-side cursor", lambda: [row.id for row in Order.objects.order_by("id").iterator()])
attempt("iso", lambda: connection.is_usable())
