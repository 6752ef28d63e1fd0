package peer

import (
	"context"

	"github.com/jackc/pgx/v5/pgxpool"
)

// Open makes a pool of at most so many connections.
func Open(ctx context.Context, url string, connections int32) (*pgxpool.Pool, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	return pgxpool.NewWithConfig(ctx, config)
}

// Logged tells how many bytes the server has written to its WAL since it was made.
func Logged(ctx context.Context, pool *pgxpool.Pool) (int64, error) {
	var bytes int64
	err := pool.QueryRow(ctx, "select (pg_current_wal_insert_lsn() - '0/0')::bigint").Scan(&bytes)
	return bytes, err
}
