package main

import (
	"context"
	"fmt"

	"github.com/riverqueue/river"

	"peer"
)

const (
	publishers = 256
	// Jobs of one InsertManyFast, and how many such calls go on at once.
	batch    = 5_000
	batchers = 4
)

func (b *bench) inserts(ctx context.Context) error {
	if err := b.migrate(ctx); err != nil {
		return err
	}
	client, err := b.client(&river.Config{})
	if err != nil {
		return err
	}
	single, err := peer.Rate(ctx, publishers, b.Window, func(ctx context.Context) (int, error) {
		_, err := client.Insert(ctx, event, nil)
		return 1, err
	})
	if err != nil {
		return err
	}
	many, err := peer.Rate(ctx, batchers, b.Window, func(ctx context.Context) (int, error) {
		jobs := make([]river.InsertManyParams, batch)
		for n := range jobs {
			jobs[n].Args = event
		}
		return client.InsertManyFast(ctx, jobs)
	})
	if err != nil {
		return err
	}
	return peer.Print(
		peer.Figure{Name: fmt.Sprintf("River Insert, awaited by %d", publishers), Value: single.PerSecond, Unit: "events/s", Version: b.version},
		peer.Figure{Name: fmt.Sprintf("River InsertManyFast of %d", batch), Value: many.PerSecond, Unit: "events/s", Version: b.version},
	)
}
