import sqlite3

database = sqlite3.connect("numbers.db")
database.execute("PRAGMA journal_mode = WAL")
with database:
    database.execute("CREATE TABLE numbers (value INTEGER NOT NULL)")
    database.executemany("INSERT INTO numbers VALUES (?)", [(10,), (20,), (30,)])
rows, total = database.execute("SELECT count(*), sum(value) FROM numbers").fetchone()
print(f"{rows} rows, total {total}")
database.execute("INSERT INTO numbers VALUES (40)")
database.rollback()
print("after a rollback", *database.execute("SELECT count(*) FROM numbers").fetchone(), "rows")
database.close()
again = sqlite3.connect("numbers.db")
print("on disk again", *again.execute("SELECT count(*) FROM numbers").fetchone(), "rows")
