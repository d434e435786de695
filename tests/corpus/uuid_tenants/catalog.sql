-- The tenant column is a uuid.
CREATE TABLE accounts (
    org_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    name text NOT NULL,
    balance bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (org_id, id)
);
CREATE TABLE transfers (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    org_id uuid NOT NULL,
    from_account uuid,
    amount numeric NOT NULL,
    FOREIGN KEY (org_id, from_account) REFERENCES accounts (org_id, id)
);
