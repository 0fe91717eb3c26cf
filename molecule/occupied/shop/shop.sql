CREATE ROLE shop LOGIN PASSWORD 'shop-password';
CREATE ROLE clerk LOGIN;
CREATE ROLE exporter LOGIN PASSWORD 'exporter-password' CONNECTION LIMIT 3;
GRANT pg_monitor TO exporter;
CREATE DATABASE shop OWNER shop;
COMMENT ON DATABASE shop IS 'orders since 2019';
\connect shop
CREATE TABLE orders (id int PRIMARY KEY, total numeric NOT NULL);
INSERT INTO orders SELECT n, n * 1.5 FROM generate_series(1, 1000) AS n;
ALTER TABLE orders OWNER TO shop;
GRANT SELECT ON orders TO clerk;
