"""The schema, its version, and who sees what of it."""

import psycopg
import pytest

from parvis.broker.ports.store import StoreNotUsable
from parvis.stores.postgres.database import EVERY_TENANT, SCHEMA, Database, StoreUnreachable, scoped


def test_a_new_database_is_prepared_once(postgres_url: str) -> None:
    database = Database(postgres_url)

    database.prepare()
    database.prepare()

    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM numbers").fetchone() == (1,)


def test_the_migrations_lead_to_the_schema_of_a_new_database(postgres_url: str, shared_postgres_url: str) -> None:
    parts = {
        "columns": "SELECT attrelid::regclass::text, attname, format_type(atttypid, atttypmod), attnotnull,"
        " attidentity, attgenerated, attcollation::regcollation::text, pg_get_expr(adbin, adrelid), reloptions"
        " FROM pg_attribute JOIN pg_class c ON c.oid = attrelid"
        " LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
        " WHERE attnum > 0 AND NOT attisdropped AND relnamespace = 'public'::regnamespace"
        " AND relname !~ '^history_[0-9]'",
        "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text !~ '^history_[0-9]'",
        "indexes": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'"
        " AND tablename !~ '^history_[0-9]' AND indexname !~ '^attribute_number_'",
        "policies": "SELECT tablename, policyname, permissive, roles, cmd, qual, with_check FROM pg_policies"
        " WHERE tablename !~ '^history_[0-9]'",
        "protected": "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class"
        " WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND relname !~ '^history_[0-9]'",
        "functions": "SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace",
        "triggers": "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal",
    }
    with Database(postgres_url).connect() as migrated, Database(shared_postgres_url).connect() as new:
        migrated.execute("CREATE TABLE schema_version (version integer NOT NULL)")
        for migration in SCHEMA.migrations:
            migrated.execute(migration.encode())
        for part, sql in parts.items():
            led_to, meant = (sorted(map(str, one.execute(sql.encode()))) for one in (migrated, new))
            assert led_to == meant, part
            assert led_to, part


def test_a_store_of_a_newer_parvis_is_left_alone(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.prepare()
    with database.connect() as connection:
        connection.execute("UPDATE schema_version SET version = version + 1")

    with pytest.raises(StoreNotUsable, match="install a newer one"):
        database.prepare()


def test_who_only_looks_changes_no_schema(postgres_url: str) -> None:
    database = Database(postgres_url)
    assert not database.check_schema()
    with database.connect() as connection:
        tables = connection.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
        assert tables.fetchone() == (0,)

    database.prepare()
    assert database.check_schema()


def test_a_store_of_an_older_parvis_is_told_and_left_as_it_is(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = Database(postgres_url)
    database.prepare()
    monkeypatch.setattr(SCHEMA, "migrations", (*SCHEMA.migrations, "SELECT 1"))

    with pytest.raises(StoreNotUsable, match=r"schema \d+, this Parvis wants \d+: start Parvis"):
        database.check_schema()

    with database.connect() as connection:
        assert connection.execute("SELECT version FROM schema_version").fetchone() == (SCHEMA.version - 1,)


def test_a_database_that_is_not_there_is_told(free_port: int) -> None:
    with pytest.raises(StoreUnreachable):
        Database(f"postgresql://nobody@127.0.0.1:{free_port}/none").connect()


def test_why_it_does_not_answer_is_told_without_what_the_library_asks_back(free_port: int) -> None:
    with pytest.raises(StoreUnreachable) as refused:
        Database(f"postgresql://parvis@127.0.0.1:{free_port}/town").connect()
    assert "Connection refused" in refused.value.detail
    assert "\n" not in refused.value.detail
    assert "?" not in refused.value.detail


def test_a_transaction_sees_the_rows_of_its_tenant_alone(postgres_url: str) -> None:
    database = Database(postgres_url)
    database.prepare()
    insert = "INSERT INTO entity VALUES (%s, %s, 'urn:x', 1, NULL, 0, 0)"
    with database.connect() as connection:
        for tenant in (1, 2):
            with scoped(connection, tenant):
                connection.execute(insert, (tenant, tenant))
        with pytest.raises(psycopg.errors.InsufficientPrivilege), scoped(connection, 1):
            connection.execute(insert, (2, 3))
        seen = {}
        for tenant in (1, 2, EVERY_TENANT):
            with scoped(connection, tenant):
                seen[tenant] = connection.execute("SELECT id FROM entity ORDER BY id").fetchall()
        unscoped = connection.execute("SELECT id FROM entity").fetchall()

    assert seen == {1: [(1,)], 2: [(2,)], EVERY_TENANT: [(1,), (2,)]}
    assert unscoped == []


def test_every_table_of_tenants_shows_the_rows_of_one_alone(postgres_url: str) -> None:
    """Whoever adds a table adds its policy; a view would read with the rights of its owner."""
    Database(postgres_url).prepare()
    policy = (
        "((( SELECT parvis_tenant() AS parvis_tenant) = tenant) OR (( SELECT parvis_tenant() AS parvis_tenant) = 0))"
    )
    unprotected = """
        SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant'
        JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = 'public'
        WHERE c.relkind IN ('r', 'p') AND a.atttypid = 'integer'::regtype AND NOT (
            c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (
                SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polcmd = '*' AND p.polpermissive
                AND pg_get_expr(p.polqual, c.oid) = %s
            )
        )
    """
    with Database(postgres_url).connect() as connection:
        assert connection.execute(unprotected, (policy,)).fetchall() == []
        policies = connection.execute("SELECT count(*) FROM pg_policy").fetchone()
        views = connection.execute("SELECT count(*) FROM pg_views WHERE schemaname = 'public'").fetchone()
        definers = connection.execute(
            "SELECT count(*) FROM pg_proc WHERE prosecdef AND pronamespace = 'public'::regnamespace"
        ).fetchone()

    assert policies is not None
    assert policies[0] >= 13
    assert (views, definers) == ((0,), (0,))
