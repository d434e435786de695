# Sequel: connection, schema parsing, dumper, and the extensions that look types up.
require "sequel"

def attempt(name)
  puts "#{name} #{yield.to_s.gsub(/#<([A-Za-z:]+):0x[^>]*>/, '\1')}"
rescue StandardError => error
  puts "#{name} ERROR #{error.class} #{error.message.lines.first&.chomp}"
end

db = Sequel.connect(adapter: "postgres", host: ENV["PGHOST"], port: ENV["PGPORT"], user: ENV["PGUSER"], password: ENV["PGPASSWORD"], database: ENV["PGDATABASE"])
%i[pg_array pg_enum pg_row pg_range pg_inet pg_json pg_hstore schema_dumper constraint_validations pg_extended_date_support].each do |name|
  attempt("extension #{name}") { db.extension(name).class }
end
attempt("version") { db.server_version }
attempt("tables") { db.tables.sort }
attempt("views") { db.views.sort }
attempt("materialized") { db.views(materialized: true).sort }
attempt("archive") { db.tables(schema: :archive).sort }
%i[customers orders order_lines events rooms countries hidden_globex].each do |table|
  attempt("#{table} there") { db.table_exists?(table) }
  attempt("#{table} schema") { db.schema(table).inspect }
  attempt("#{table} indexes") { db.indexes(table, partial: true, invalid: true).inspect }
  attempt("#{table} keys") { db.foreign_key_list(table).inspect }
  attempt("#{table} referenced") { db.foreign_key_list(table, reverse: true).inspect }
  attempt("#{table} checks") { db.check_constraints(table).inspect }
  attempt("#{table} primary key") { [db.primary_key(table), db.primary_key_sequence(table)].inspect }
end
attempt("row type") { db.register_row_type(:address).class }
attempt("dump") { "\n" + db.dump_schema_migration }
attempt("foreign keys") { "\n" + db.dump_foreign_key_migration }
attempt("rows") { db[:customers].order(:id).select(:name, :home, :extra).all.inspect }
