// River measures what inserting costs with River, and how long a job takes from one idle process to another.
//
// The words after the URL say what: `inserts`, `latency`, or `worker`, which latency starts by itself.
package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"peer"
)

// More cost more of the processor for each job.
const connections = 32

func main() {
	peer.Run(func(ctx context.Context, program peer.Program) error {
		pool, err := peer.Open(ctx, program.URL, connections)
		if err != nil {
			return err
		}
		defer pool.Close()
		bench := bench{program, pool, peer.Version("River", "github.com/riverqueue/river")}
		switch {
		case len(program.Words) != 1:
			return fmt.Errorf("the URL has to be followed by inserts, latency or worker")
		case program.Words[0] == "inserts":
			return bench.inserts(ctx)
		case program.Words[0] == "latency":
			return bench.latency(ctx)
		case program.Words[0] == "worker":
			return bench.work(ctx)
		default:
			return fmt.Errorf("%s is not known here", program.Words[0])
		}
	})
}

type bench struct {
	peer.Program
	pool    *pgxpool.Pool
	version string
}

func (b *bench) migrate(ctx context.Context) error {
	migrator, err := rivermigrate.New(riverpgxv5.New(b.pool), &rivermigrate.Config{Logger: silent()})
	if err != nil {
		return err
	}
	_, err = migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
	return err
}

func (b *bench) client(config *river.Config) (*river.Client[pgx.Tx], error) {
	config.Logger = silent()
	return river.NewClient(riverpgxv5.New(b.pool), config)
}

func silent() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError}))
}

// At the lowest pause between two fetches; it also bounds how often an inserting client notifies.
const pause = time.Millisecond
