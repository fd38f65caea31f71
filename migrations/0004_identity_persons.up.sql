-- The human as a business and legal subject: what every other module points at.
--
-- Personal, and NULL once the key is destroyed: display_name, legal_name, tax_id_last4.

CREATE TABLE persons (
    id                    uuid                   NOT NULL,
    status                identity.person_status NOT NULL,
    display_name          text,
    legal_name            text,
    country               char(2),
    tax_id_last4          text,
    locale                text                   NOT NULL,
    timezone              text                   NOT NULL,
    merged_into_person_id uuid,
    merged_at             timestamptz,
    erased_at             timestamptz,
    key_id                uuid,
    LIKE ref.std,
    CONSTRAINT persons_pk PRIMARY KEY (id),
    CONSTRAINT persons_merged_ck CHECK ((status = 'merged') = (merged_into_person_id IS NOT NULL)),
    CONSTRAINT persons_erased_ck CHECK ((status = 'erased') = (erased_at IS NOT NULL))
) WITH (fillfactor = 85);

-- after

CREATE INDEX persons_merged_into_idx ON persons (merged_into_person_id)
    WHERE merged_into_person_id IS NOT NULL;
CREATE INDEX persons_key_idx ON persons (key_id) WHERE key_id IS NOT NULL;

COMMENT ON TABLE persons IS 'The human as a business and legal subject. Fed by person.';
COMMENT ON COLUMN persons.key_id IS 'The subject key that seals the personal columns.';

SELECT ref.share('persons');
