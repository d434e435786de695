-- The tables of TPC-H, each with a tenant, and keys that begin with it. 8 tenants of the same size.
CREATE TABLE region (r_regionkey integer PRIMARY KEY, r_name text NOT NULL);
CREATE TABLE nation (n_nationkey integer PRIMARY KEY, n_name text NOT NULL, n_regionkey integer NOT NULL);
CREATE TABLE supplier (tenant text NOT NULL, s_suppkey integer NOT NULL, s_name text NOT NULL, s_address text NOT NULL,
    s_nationkey integer NOT NULL, s_phone text NOT NULL, s_acctbal numeric(12, 2) NOT NULL, s_comment text NOT NULL,
    PRIMARY KEY (tenant, s_suppkey));
CREATE TABLE part (tenant text NOT NULL, p_partkey integer NOT NULL, p_name text NOT NULL, p_mfgr text NOT NULL,
    p_brand text NOT NULL, p_type text NOT NULL, p_size integer NOT NULL, p_container text NOT NULL,
    p_retailprice numeric(12, 2) NOT NULL, PRIMARY KEY (tenant, p_partkey));
CREATE TABLE partsupp (tenant text NOT NULL, ps_partkey integer NOT NULL, ps_suppkey integer NOT NULL,
    ps_availqty integer NOT NULL, ps_supplycost numeric(12, 2) NOT NULL, PRIMARY KEY (tenant, ps_partkey, ps_suppkey));
CREATE TABLE customer (tenant text NOT NULL, c_custkey integer NOT NULL, c_name text NOT NULL, c_address text NOT NULL,
    c_nationkey integer NOT NULL, c_phone text NOT NULL, c_acctbal numeric(12, 2) NOT NULL, c_mktsegment text NOT NULL,
    c_comment text NOT NULL, PRIMARY KEY (tenant, c_custkey));
CREATE TABLE orders (tenant text NOT NULL, o_orderkey integer NOT NULL, o_custkey integer NOT NULL,
    o_orderstatus char(1) NOT NULL, o_totalprice numeric(12, 2) NOT NULL, o_orderdate date NOT NULL,
    o_orderpriority text NOT NULL, o_shippriority integer NOT NULL, o_comment text NOT NULL,
    PRIMARY KEY (tenant, o_orderkey));
CREATE TABLE lineitem (tenant text NOT NULL, l_orderkey integer NOT NULL, l_linenumber integer NOT NULL,
    l_partkey integer NOT NULL, l_suppkey integer NOT NULL, l_quantity numeric(12, 2) NOT NULL,
    l_extendedprice numeric(12, 2) NOT NULL, l_discount numeric(12, 2) NOT NULL, l_tax numeric(12, 2) NOT NULL,
    l_returnflag char(1) NOT NULL, l_linestatus char(1) NOT NULL, l_shipdate date NOT NULL, l_commitdate date NOT NULL,
    l_receiptdate date NOT NULL, l_shipinstruct text NOT NULL, l_shipmode text NOT NULL,
    PRIMARY KEY (tenant, l_orderkey, l_linenumber));

SELECT setseed(0.5);
INSERT INTO region SELECT n, (ARRAY['AFRICA', 'AMERICA', 'ASIA', 'EUROPE', 'MIDDLE EAST'])[n + 1] FROM generate_series(0, 4) n;
INSERT INTO nation SELECT n, (ARRAY['ALGERIA', 'ARGENTINA', 'BRAZIL', 'CANADA', 'EGYPT', 'ETHIOPIA', 'FRANCE', 'GERMANY',
    'INDIA', 'INDONESIA', 'IRAN', 'IRAQ', 'JAPAN', 'JORDAN', 'KENYA', 'MOROCCO', 'MOZAMBIQUE', 'PERU', 'CHINA', 'ROMANIA',
    'SAUDI ARABIA', 'VIETNAM', 'RUSSIA', 'UNITED KINGDOM', 'UNITED STATES'])[n + 1],
    (ARRAY[0, 1, 1, 1, 4, 0, 3, 3, 2, 2, 4, 4, 2, 4, 0, 0, 0, 1, 2, 3, 4, 2, 3, 3, 1])[n + 1] FROM generate_series(0, 24) n;
CREATE TEMP TABLE tenants AS SELECT 't' || n AS tenant FROM generate_series(1, 8) n;
INSERT INTO supplier SELECT tenant, n, 'Supplier ' || n, 'Street ' || n, (random() * 24)::int, 10 + n % 24 || '-555',
    random() * 10000, CASE WHEN n % 9 = 0 THEN 'Customer of many Complaints' ELSE 'quick' END FROM tenants, generate_series(1, 40) n;
INSERT INTO part SELECT tenant, n, (ARRAY['forest', 'green', 'blush', 'almond'])[1 + n % 4] || ' part ' || n, 'M#' || n % 5,
    'Brand#' || 1 + n % 5 || 1 + n % 3, (ARRAY['PROMO', 'STANDARD', 'ECONOMY', 'MEDIUM'])[1 + n % 4] || ' ' ||
    (ARRAY['POLISHED', 'ANODIZED', 'BURNISHED'])[1 + n % 3] || ' ' || (ARRAY['BRASS', 'STEEL', 'TIN'])[1 + n % 3], 1 + n % 50,
    (ARRAY['SM', 'MED', 'LG'])[1 + n % 3] || ' ' || (ARRAY['CASE', 'BOX', 'BAG', 'PKG'])[1 + n % 4], 900 + n FROM tenants, generate_series(1, 400) n;
INSERT INTO partsupp SELECT tenant, n, 1 + (n + k * 10) % 40, (random() * 9999)::int, random() * 1000
    FROM tenants, generate_series(1, 400) n, generate_series(0, 3) k;
INSERT INTO customer SELECT tenant, n, 'Customer ' || n, 'Road ' || n, (random() * 24)::int, 10 + n % 25 || '-' || n,
    random() * 10000 - 999, (ARRAY['BUILDING', 'AUTOMOBILE', 'MACHINERY', 'HOUSEHOLD', 'FURNITURE'])[1 + n % 5], 'c' FROM tenants, generate_series(1, 300) n;
INSERT INTO orders SELECT tenant, n, 1 + (random() * 299)::int, (ARRAY['F', 'O', 'P'])[1 + n % 3], random() * 400000,
    date '1992-01-01' + (random() * 2400)::int, (ARRAY['1-URGENT', '2-HIGH', '3-MEDIUM', '4-NOT SPECIFIED', '5-LOW'])[1 + n % 5], 0,
    CASE WHEN n % 11 = 0 THEN 'has special requests inside' ELSE 'plain' END FROM tenants, generate_series(1, 2000) n;
INSERT INTO lineitem SELECT o.tenant, o.o_orderkey, k, 1 + (random() * 399)::int, 1 + (random() * 39)::int, 1 + (random() * 49)::int,
    random() * 90000, round((random() * 0.1)::numeric, 2), round((random() * 0.08)::numeric, 2), (ARRAY['R', 'A', 'N'])[1 + k % 3],
    (ARRAY['O', 'F'])[1 + k % 2], o.o_orderdate + d, o.o_orderdate + 60, o.o_orderdate + d + 5,
    (ARRAY['DELIVER IN PERSON', 'COLLECT COD', 'NONE'])[1 + k % 3], (ARRAY['AIR', 'REG AIR', 'MAIL', 'SHIP', 'TRUCK'])[1 + (o.o_orderkey + k) % 5]
    FROM orders o, generate_series(1, 4) k, LATERAL (SELECT 1 + (random() * 120)::int AS d, k AS line) r;
CREATE INDEX ON lineitem (tenant, l_partkey);
CREATE INDEX ON lineitem (tenant, l_shipdate);
CREATE INDEX ON orders (tenant, o_custkey);
CREATE INDEX ON orders (tenant, o_orderdate);
