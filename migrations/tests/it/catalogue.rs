//! Describing a database by what its catalogue says, one line a thing.

use sqlx::PgPool;

/// Every column, constraint, index, comment, enumeration, domain, function, trigger, grant and policy
/// of the schemas whose names match a pattern.
const SQL: &str = r"
WITH ours AS (
    SELECT oid, nspname FROM pg_namespace
    WHERE nspname ~ $1 AND nspname !~ '^pg_' AND nspname <> 'information_schema')
SELECT 'schema ' || nspname FROM ours
UNION ALL
SELECT format('column %s.%s %s %s %s null=%s default=%s', nspname, relname, attnum, attname,
    format_type(atttypid, atttypmod), NOT attnotnull, pg_get_expr(adbin, adrelid))
FROM ours JOIN pg_class c ON relnamespace = ours.oid AND relkind IN ('r', 'p', 'v')
    JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped
    LEFT JOIN pg_attrdef ON adrelid = c.oid AND adnum = attnum
UNION ALL
SELECT format('constraint %s.%s %s %s', nspname, conrelid::regclass::text, conname,
    pg_get_constraintdef(k.oid)) FROM ours JOIN pg_constraint k ON connamespace = ours.oid
UNION ALL
SELECT 'index ' || pg_get_indexdef(c.oid)
FROM ours JOIN pg_class c ON relnamespace = ours.oid AND relkind = 'i'
UNION ALL
SELECT format('comment %s.%s %s %s', nspname, relname, objsubid, description)
FROM ours JOIN pg_class c ON relnamespace = ours.oid
    JOIN pg_description ON objoid = c.oid AND classoid = 'pg_class'::regclass
UNION ALL
SELECT format('type %s.%s %s %s', nspname, typname, typtype, enumlabel)
FROM ours JOIN pg_type t ON typnamespace = ours.oid AND typtype IN ('e', 'd')
    LEFT JOIN pg_enum ON enumtypid = t.oid
UNION ALL
SELECT format('function %s.%s %s', nspname, proname, pg_get_functiondef(p.oid))
FROM ours JOIN pg_proc p ON pronamespace = ours.oid AND prokind IN ('f', 'p')
UNION ALL
SELECT 'trigger ' || pg_get_triggerdef(t.oid)
FROM ours JOIN pg_class c ON relnamespace = ours.oid
    JOIN pg_trigger t ON tgrelid = c.oid AND NOT tgisinternal
UNION ALL
SELECT format('grant %s.%s %s enabled=%s forced=%s', nspname, relname, relacl, relrowsecurity,
    relforcerowsecurity)
FROM ours JOIN pg_class c ON relnamespace = ours.oid AND relkind IN ('r', 'p', 'v')
UNION ALL
SELECT format('policy %s.%s %s %s %s %s using=%s check=%s', schemaname, tablename, policyname,
    permissive, roles, cmd, qual, with_check)
FROM ours JOIN pg_policies ON schemaname = nspname
ORDER BY 1";

/// What there is in the schemas that match `pattern`.
pub(crate) async fn describe(pool: &PgPool, pattern: &str) -> Vec<String> {
    sqlx::query_scalar(SQL).bind(pattern).fetch_all(pool).await.unwrap()
}
