# Rails' ActiveRecord: connection set-up, schema reflection, the schema dumper, model loading.
require "active_record"
require "stringio"

def attempt(name)
  puts "#{name} #{yield}"
rescue StandardError => error
  puts "#{name} ERROR #{error.class} #{error.message.lines.first&.chomp}"
end

ActiveRecord::Base.establish_connection(
  adapter: "postgresql", host: ENV["PGHOST"], port: ENV["PGPORT"], username: ENV["PGUSER"], password: ENV["PGPASSWORD"],
  database: ENV["PGDATABASE"], prepared_statements: true
)
connection = nil
attempt("connect") { connection = ActiveRecord::Base.connection; connection.active? }
exit 1 unless connection
attempt("version") { connection.database_version }
attempt("database") { connection.current_database }
attempt("schema") { connection.current_schema }
attempt("schemas") { connection.schema_names.sort }
attempt("path") { connection.schema_search_path }
attempt("encoding") { [connection.encoding, connection.collation, connection.ctype] }
attempt("identifiers") { connection.max_identifier_length }
attempt("tables") { connection.tables.sort }
attempt("views") { connection.views.sort }
attempt("sources") { connection.data_sources.sort }
attempt("extensions") { connection.extensions.sort }
attempt("extension") { connection.extension_enabled?("hstore") }
attempt("extension here") { connection.extension_available?("citext") }
attempt("sequence") { connection.serial_sequence("orders", "id") }
attempt("lock") { connection.get_advisory_lock(1) }
%w[customers orders order_lines events countries rooms open_orders archive.orders hidden_globex events_hidden_globex].each do |table|
  attempt("#{table} there") { [connection.table_exists?(table), connection.view_exists?(table), connection.data_source_exists?(table)] }
  attempt("#{table} columns") { connection.columns(table).map { |c| [c.name, c.sql_type, c.default, c.default_function, c.null, c.comment, c.type] }.inspect }
  attempt("#{table} key") { connection.primary_keys(table) }
  attempt("#{table} key and sequence") { connection.pk_and_sequence_for(table).inspect }
  attempt("#{table} indexes") { connection.indexes(table).map { |i| [i.name, i.unique, i.columns, i.where, i.orders, i.using, i.comment] }.inspect }
  attempt("#{table} foreign keys") { connection.foreign_keys(table).map { |k| [k.from_table, k.to_table, k.options] }.inspect }
  attempt("#{table} checks") { connection.check_constraints(table).map { |k| [k.name, k.expression] }.inspect }
  attempt("#{table} comment") { connection.table_comment(table).inspect }
  attempt("#{table} options") { connection.table_options(table).inspect }
end
class Customer < ActiveRecord::Base; end
class Order < ActiveRecord::Base; end
attempt("model") { Customer.columns_hash.transform_values(&:sql_type) }
attempt("rows") { Customer.order(:id).map { |row| [row.name, row.extra, row.active] }.inspect }
attempt("rows of orders") { Order.where(status: "new").order(:id).map { |row| [row.total, row.tags, row.notes, row.placed_at] }.inspect }
attempt("count") { Order.where(total: 5..15).count }
attempt("insert") { Customer.transaction { c = Customer.create!(id: 5, email: "z@z", name: "Z"); raise ActiveRecord::Rollback; c } }
attempt("explain") { Order.where(id: 1).explain.class }
attempt("dump") do
  stream = StringIO.new
  ActiveRecord::SchemaDumper.dump(connection, stream)
  "\n" + stream.string
end
