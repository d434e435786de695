-- The tenant column is an integer, of every width.
CREATE TABLE shops (
    shop_id bigint NOT NULL PRIMARY KEY,
    name text NOT NULL
);
CREATE TABLE orders (
    shop_id bigint NOT NULL,
    id bigint NOT NULL,
    total integer,
    placed_at timestamp,
    PRIMARY KEY (shop_id, id)
);
CREATE TABLE items (
    shop_id integer NOT NULL,
    order_id bigint NOT NULL,
    sku text NOT NULL,
    price double precision,
    PRIMARY KEY (shop_id, order_id, sku)
);
CREATE TABLE shelves (
    shop_id smallint NOT NULL,
    id smallint NOT NULL,
    PRIMARY KEY (shop_id, id)
);
