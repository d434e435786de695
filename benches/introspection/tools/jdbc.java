import java.sql.*;
import java.util.*;

/** Everything that java.sql.DatabaseMetaData can be asked, and what the driver asks for results and types. */
public class jdbc {
    interface Call { Object get() throws Exception; }

    static void attempt(String name, Call call) {
        try {
            Object value = call.get();
            if (value instanceof ResultSet) { print(name, (ResultSet) value); } else { System.out.println(name + " " + text(value)); }
        } catch (Exception error) {
            System.out.println(name + " ERROR " + String.valueOf(error.getMessage()).split("\n")[0]);
        }
    }

    static String text(Object value) throws SQLException {
        if (value instanceof Array) { return Arrays.deepToString((Object[]) ((Array) value).getArray()); }
        if (value instanceof Object[]) { return Arrays.deepToString((Object[]) value); }
        return String.valueOf(value);
    }

    static void print(String name, ResultSet rows) throws SQLException {
        ResultSetMetaData columns = rows.getMetaData();
        int count = 0;
        while (rows.next()) {
            StringBuilder line = new StringBuilder(name);
            for (int i = 1; i <= columns.getColumnCount(); i++) {
                line.append(' ').append(columns.getColumnLabel(i)).append('=').append(text(rows.getObject(i)));
            }
            System.out.println(line);
            count++;
        }
        System.out.println(name + " rows=" + count);
        rows.close();
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> env = System.getenv();
        for (String more : new String[] {"", "&preferQueryMode=simple", "&databaseMetadataCacheFields=0&prepareThreshold=1"}) {
            String url = "jdbc:postgresql://" + env.get("PGHOST") + ":" + env.get("PGPORT") + "/" + env.get("PGDATABASE")
                + "?user=" + env.get("PGUSER") + "&password=" + env.get("PGPASSWORD") + "&ApplicationName=tool" + more;
            try (Connection connection = DriverManager.getConnection(url)) { learn(connection, more); }
        }
    }

    static void learn(Connection c, String mode) throws Exception {
        DatabaseMetaData m = c.getMetaData();
        String p = "jdbc" + mode + " ";
        attempt(p + "catalog", c::getCatalog);
        attempt(p + "schema", c::getSchema);
        attempt(p + "valid", () -> c.isValid(5));
        attempt(p + "isolation", c::getTransactionIsolation);
        attempt(p + "read only", c::isReadOnly);
        attempt(p + "product", m::getDatabaseProductVersion);
        attempt(p + "user", m::getUserName);
        attempt(p + "names", m::getMaxColumnNameLength);
        attempt(p + "keys", m::getMaxColumnsInIndex);
        attempt(p + "keywords", m::getSQLKeywords);
        if (!mode.contains("simple")) { attempt(p + "types", m::getTypeInfo); }
        attempt(p + "catalogs", m::getCatalogs);
        attempt(p + "schemas", m::getSchemas);
        attempt(p + "schemas like", () -> m.getSchemas(null, "hid%"));
        attempt(p + "table types", m::getTableTypes);
        attempt(p + "tables", () -> m.getTables(null, null, "%", new String[] {"TABLE", "VIEW", "MATERIALIZED VIEW", "PARTITIONED TABLE", "SEQUENCE", "TYPE"}));
        attempt(p + "tables of public", () -> m.getTables(null, "public", "%", null));
        attempt(p + "tables hidden", () -> m.getTables(null, null, "%hidden%", null));
        attempt(p + "columns", () -> m.getColumns(null, "public", "%", "%"));
        attempt(p + "columns of archive", () -> m.getColumns(null, "archive", null, null));
        attempt(p + "columns hidden", () -> m.getColumns(null, null, "hidden%", null));
        attempt(p + "functions", () -> m.getFunctions(null, "public", "f%"));
        attempt(p + "functions hidden", () -> m.getFunctions(null, null, "hidden%"));
        attempt(p + "function columns", () -> m.getFunctionColumns(null, "public", "full%", null));
        attempt(p + "procedures", () -> m.getProcedures(null, "public", null));
        attempt(p + "procedure columns", () -> m.getProcedureColumns(null, "public", "full%", null));
        attempt(p + "udts", () -> m.getUDTs(null, null, "%", null));
        attempt(p + "client info", m::getClientInfoProperties);
        attempt(p + "super tables", () -> m.getSuperTables(null, null, "%"));
        for (String table : new String[] {"customers", "orders", "order_lines", "events", "countries", "rooms", "Odd Names", "open_orders", "monthly", "hidden_globex", "events_hidden_globex"}) {
            String t = p + table + " ";
            attempt(t + "key", () -> m.getPrimaryKeys(null, "public", table));
            attempt(t + "key anywhere", () -> m.getPrimaryKeys(null, null, table));
            attempt(t + "indexes", () -> m.getIndexInfo(null, "public", table, false, true));
            attempt(t + "unique", () -> m.getIndexInfo(null, "public", table, true, false));
            attempt(t + "imported", () -> m.getImportedKeys(null, "public", table));
            attempt(t + "exported", () -> m.getExportedKeys(null, "public", table));
            attempt(t + "cross", () -> m.getCrossReference(null, "public", "customers", null, "public", table));
            attempt(t + "best row", () -> m.getBestRowIdentifier(null, "public", table, DatabaseMetaData.bestRowSession, true));
            attempt(t + "version columns", () -> m.getVersionColumns(null, "public", table));
            attempt(t + "privileges", () -> m.getTablePrivileges(null, "public", table));
            attempt(t + "column privileges", () -> m.getColumnPrivileges(null, "public", table, "%"));
        }
        try (Statement s = c.createStatement()) {
            for (String sql : new String[] {"SELECT * FROM customers ORDER BY id", "SELECT * FROM orders ORDER BY id", "SELECT 'new'::order_status AS e, 5::percent AS d, ROW('a','b','c')::address AS a, ARRAY['new']::order_status[] AS es"}) {
                attempt(p + "rows", () -> s.executeQuery(sql));
                attempt(p + "of columns", () -> {
                    ResultSetMetaData r = s.executeQuery(sql).getMetaData();
                    StringBuilder line = new StringBuilder();
                    for (int i = 1; i <= r.getColumnCount(); i++) {
                        line.append(r.getColumnName(i)).append(' ').append(r.getColumnTypeName(i)).append(' ').append(r.getColumnType(i)).append(' ').append(r.getTableName(i))
                            .append(' ').append(r.isAutoIncrement(i)).append(' ').append(r.isNullable(i)).append(' ').append(r.getColumnClassName(i)).append(' ').append(r.getPrecision(i)).append("; ");
                    }
                    return line;
                });
            }
        }
        attempt(p + "parameters", () -> {
            try (PreparedStatement s = c.prepareStatement("SELECT id FROM orders WHERE status = ? AND tags && ? AND total > ?")) {
                ParameterMetaData r = s.getParameterMetaData();
                return r.getParameterTypeName(1) + " " + r.getParameterTypeName(2) + " " + r.getParameterTypeName(3);
            }
        });
        attempt(p + "array", () -> text(c.createArrayOf("order_status", new String[] {"new"})));
        attempt(p + "keys made", () -> {
            c.setAutoCommit(false);
            try (PreparedStatement s = c.prepareStatement("INSERT INTO customers (id, email, name) VALUES (77, 'x@y', 'X')", Statement.RETURN_GENERATED_KEYS)) {
                s.executeUpdate();
                ResultSet r = s.getGeneratedKeys();
                r.next();
                return r.getObject("id") + " " + r.getObject("name");
            } finally { c.rollback(); c.setAutoCommit(true); }
        });
        attempt(p + "updatable", () -> {
            c.setAutoCommit(false);
            try (Statement s = c.createStatement(ResultSet.TYPE_SCROLL_INSENSITIVE, ResultSet.CONCUR_UPDATABLE)) {
                ResultSet r = s.executeQuery("SELECT tenant_id, id, name FROM customers WHERE id = 1000000");
                r.next();
                r.updateString("name", "Anne");
                r.updateRow();
                return r.getString("name");
            } finally { c.rollback(); c.setAutoCommit(true); }
        });
    }
}
