// Pgmq measures what sending and reading cost with pgmq's SQL functions, which the database has.
package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sync/errgroup"

	"peer"
)

const (
	// More cost more of the processor for each message.
	connections = 32
	publishers  = 256
	// Of send_batch and of read.
	batch = 5_000
	// Senders of batches and readers at once.
	batchers = 4
	readers  = 2
)

func main() {
	peer.Run(func(ctx context.Context, program peer.Program) error {
		if len(program.Words) != 1 {
			return fmt.Errorf("the version of pgmq has to follow the URL")
		}
		pool, err := peer.Open(ctx, program.URL, connections)
		if err != nil {
			return err
		}
		defer pool.Close()
		return (&bench{program, pool, "pgmq " + program.Words[0]}).measure(ctx)
	})
}

type bench struct {
	peer.Program
	pool    *pgxpool.Pool
	version string
}

func (b *bench) measure(ctx context.Context) error {
	if _, err := b.pool.Exec(ctx, "select pgmq.create(q) from unnest(array['single', 'batch']) as q"); err != nil {
		return err
	}
	if err := b.send(ctx); err != nil {
		return err
	}
	if err := b.sendBatch(ctx); err != nil {
		return err
	}
	if err := b.drain(ctx, "read and delete", "delete"); err != nil {
		return err
	}
	return b.drain(ctx, "read and archive", "archive")
}

func (b *bench) send(ctx context.Context) error {
	return b.published(ctx, fmt.Sprintf("pgmq send, awaited by %d", publishers), publishers, func(ctx context.Context) (int, error) {
		_, err := b.pool.Exec(ctx, "select pgmq.send('single', $1::jsonb)", peer.Event)
		return 1, err
	})
}

func (b *bench) sendBatch(ctx context.Context) error {
	return b.published(ctx, fmt.Sprintf("pgmq send_batch of %d", batch), batchers, func(ctx context.Context) (int, error) {
		return batch, b.store(ctx)
	})
}

func (b *bench) store(ctx context.Context) error {
	events := make([]string, batch)
	for n := range events {
		events[n] = peer.Event
	}
	_, err := b.pool.Exec(ctx, "select count(*) from pgmq.send_batch('batch', $1::jsonb[])", events)
	return err
}

func (b *bench) published(ctx context.Context, name string, publishers int, call func(context.Context) (int, error)) error {
	before, err := peer.Logged(ctx, b.pool)
	if err != nil {
		return err
	}
	pace, err := peer.Rate(ctx, publishers, b.Window, call)
	if err != nil {
		return err
	}
	return b.print(ctx, name, pace.PerSecond, before, pace.Total)
}

// drain fills an empty queue and reads it until nothing is left.
func (b *bench) drain(ctx context.Context, name, settle string) error {
	if _, err := b.pool.Exec(ctx, "select pgmq.purge_queue('batch')"); err != nil {
		return err
	}
	for range b.Backlog / batch {
		if err := b.store(ctx); err != nil {
			return err
		}
	}
	if _, err := b.pool.Exec(ctx, "analyze"); err != nil {
		return err
	}
	before, err := peer.Logged(ctx, b.pool)
	if err != nil {
		return err
	}
	begun := time.Now()
	read, err := b.readAll(ctx, settle)
	if err != nil {
		return err
	}
	return b.print(ctx, fmt.Sprintf("pgmq %s, %d a call", name, batch), float64(read)/time.Since(begun).Seconds(), before, read)
}

func (b *bench) readAll(ctx context.Context, settle string) (int64, error) {
	var total atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for range readers {
		group.Go(func() error {
			for {
				read, err := b.read(ctx, settle)
				if err != nil || read == 0 {
					return err
				}
				total.Add(int64(read))
			}
		})
	}
	err := group.Wait()
	return total.Load(), err
}

// read takes a batch and settles it by what pgmq calls `delete` or `archive`.
func (b *bench) read(ctx context.Context, settle string) (int, error) {
	rows, err := b.pool.Query(ctx, "select msg_id, message from pgmq.read('batch', 30, $1)", batch)
	if err != nil {
		return 0, err
	}
	ids := make([]int64, 0, batch)
	var id int64
	var message []byte
	if _, err := pgx.ForEachRow(rows, []any{&id, &message}, func() error {
		ids = append(ids, id)
		return nil
	}); err != nil || len(ids) == 0 {
		return 0, err
	}
	_, err = b.pool.Exec(ctx, "select count(*) from pgmq."+settle+"('batch', $1::bigint[])", ids)
	return len(ids), err
}

// print tells a rate and what each event added to the WAL.
func (b *bench) print(ctx context.Context, name string, perSecond float64, before, events int64) error {
	after, err := peer.Logged(ctx, b.pool)
	if err != nil {
		return err
	}
	return peer.Print(
		peer.Figure{Name: name, Value: perSecond, Unit: "events/s", Version: b.version},
		peer.Figure{Name: name + ", WAL", Value: float64(after-before) / float64(events), Unit: "bytes/event", Version: b.version},
	)
}
