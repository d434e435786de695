<?php
// PHP: PDO's and pgsql's own look-ups, and Doctrine's schema manager where it is installed.
$env = getenv();
function attempt($name, $call) {
    try { echo $name, ' ', json_encode($call(), JSON_PARTIAL_OUTPUT_ON_ERROR), "\n"; }
    catch (Throwable $error) { echo $name, ' ERROR ', strtok($error->getMessage(), "\n"), "\n"; }
}
$pdo = new PDO("pgsql:host={$env['PGHOST']};port={$env['PGPORT']};dbname={$env['PGDATABASE']}", $env['PGUSER'], $env['PGPASSWORD'], [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION]);
attempt('pdo columns', function () use ($pdo) {
    $s = $pdo->query('SELECT id, status, tags, home FROM orders JOIN customers USING (tenant_id) LIMIT 0');
    return array_map(fn($i) => $s->getColumnMeta($i), range(0, $s->columnCount() - 1));
});
attempt('pdo rows', fn() => $pdo->query('SELECT * FROM orders ORDER BY id')->fetchAll(PDO::FETCH_ASSOC));
$pg = pg_connect("host={$env['PGHOST']} port={$env['PGPORT']} dbname={$env['PGDATABASE']} user={$env['PGUSER']} password={$env['PGPASSWORD']}");
foreach (['customers', 'orders', 'archive.orders', 'hidden_globex'] as $table) {
    attempt("pgsql meta $table", fn() => @pg_meta_data($pg, $table, true) ?: pg_last_error($pg));
}
attempt('pgsql convert', fn() => @pg_convert($pg, 'countries', ['code' => 'AT', 'name' => 'x']));
attempt('pgsql types', function () use ($pg) { $r = pg_query($pg, "SELECT 'new'::order_status, 1::percent"); return [pg_field_type($r, 0), pg_field_type($r, 1)]; });
attempt('pgsql table', function () use ($pg) { $r = pg_query($pg, 'SELECT id FROM orders'); return pg_field_table($r, 0); });
if (!@include 'Doctrine/DBAL/autoload.php') { exit; }
$connection = Doctrine\DBAL\DriverManager::getConnection(['driver' => 'pdo_pgsql', 'host' => $env['PGHOST'], 'port' => $env['PGPORT'], 'dbname' => $env['PGDATABASE'], 'user' => $env['PGUSER'], 'password' => $env['PGPASSWORD']]);
foreach (['order_status' => 'string', 'address' => 'string', 'hstore' => 'string', 'citext' => 'string', 'percent' => 'integer', 'price_span' => 'string', 'int4range' => 'string', 'tstzrange' => 'string', 'bit' => 'string', 'char' => 'string', '"char"' => 'string', '_text' => 'string'] as $from => $to) {
    attempt("doctrine type $from", fn() => $connection->getDatabasePlatform()->registerDoctrineTypeMapping($from, $to));
}
$manager = $connection->createSchemaManager();
$names = fn($list) => array_map(fn($item) => is_string($item) ? $item : $item->getName(), array_values($list));
attempt('doctrine databases', fn() => $manager->listDatabases());
attempt('doctrine schemas', fn() => $manager->listSchemaNames());
attempt('doctrine names', fn() => $manager->listTableNames());
attempt('doctrine views', fn() => $names($manager->listViews()));
attempt('doctrine sequences', fn() => $names($manager->listSequences()));
foreach (['customers', 'orders', 'order_lines', 'countries', 'archive.orders', 'hidden_globex'] as $table) {
    attempt("doctrine $table", fn() => $manager->tablesExist([$table]));
    attempt("doctrine $table columns", fn() => array_map(fn($c) => array_diff_key($c->toArray(), ['type' => 0]), $manager->listTableColumns($table)));
    attempt("doctrine $table indexes", fn() => array_map(fn($i) => [$i->getName(), $i->getColumns(), $i->isUnique(), $i->getOptions()], $manager->listTableIndexes($table)));
    attempt("doctrine $table keys", fn() => array_map(fn($k) => [$k->getName(), $k->getLocalColumns(), $k->getForeignTableName(), $k->getForeignColumns(), $k->getOptions()], $manager->listTableForeignKeys($table)));
}
attempt('doctrine schema', fn() => $manager->introspectSchema()->toSql($connection->getDatabasePlatform()));
