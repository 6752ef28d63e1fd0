// Watermill measures what publishing to PostgreSQL and subscribing cost with Watermill's SQL publisher and subscriber.
package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	watermillsql "github.com/ThreeDotsLabs/watermill-sql/v4/pkg/sql"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/jackc/pgx/v5/pgxpool"

	"peer"
)

const (
	// More cost more of the processor for each message.
	connections = 32
	publishers  = 256
	// Messages of one call of Publish, and how many such calls go on at once.
	batch    = 1_000
	batchers = 4
	// Messages that the subscriber asks for at once.
	subscribed = 50_000
)

func main() {
	peer.Run(func(ctx context.Context, program peer.Program) error {
		pool, err := peer.Open(ctx, program.URL, connections)
		if err != nil {
			return err
		}
		defer pool.Close()
		version := peer.Version("watermill-sql", "github.com/ThreeDotsLabs/watermill-sql/v4")
		schema := watermillsql.DefaultPostgreSQLSchema{
			SubscribeBatchSize: subscribed,
			// PostgreSQL parses what goes into the default, JSON.
			GeneratePayloadType: func(string) string { return "BYTEA" },
		}
		config := watermillsql.PublisherConfig{SchemaAdapter: schema, AutoInitializeSchema: true}
		db := watermillsql.BeginnerFromPgx(pool)
		publisher, err := watermillsql.NewPublisher(db, config, watermill.NopLogger{})
		if err != nil {
			return err
		}
		return (&bench{program, pool, schema, publisher, version}).measure(ctx)
	})
}

type bench struct {
	peer.Program
	pool      *pgxpool.Pool
	schema    watermillsql.SchemaAdapter
	publisher *watermillsql.Publisher
	version   string
}

func (b *bench) measure(ctx context.Context) error {
	if err := b.publish(ctx, fmt.Sprintf("Watermill publish, awaited by %d", publishers), "single", publishers, 1); err != nil {
		return err
	}
	if err := b.publish(ctx, fmt.Sprintf("Watermill publish of %d", batch), "batch", batchers, batch); err != nil {
		return err
	}
	return b.drain(ctx)
}

func (b *bench) publish(ctx context.Context, name, topic string, publishers, messages int) error {
	// Makes the table.
	if err := b.publisher.Publish(topic, events(1)...); err != nil {
		return err
	}
	pace, err := peer.Rate(ctx, publishers, b.Window, func(context.Context) (int, error) {
		return messages, b.publisher.Publish(topic, events(messages)...)
	})
	if err != nil {
		return err
	}
	return b.print(name, pace.PerSecond)
}

func (b *bench) drain(ctx context.Context) error {
	for range b.Backlog / batch {
		if err := b.publisher.Publish("backlog", events(batch)...); err != nil {
			return err
		}
	}
	if _, err := b.pool.Exec(ctx, "analyze"); err != nil {
		return err
	}
	config := watermillsql.SubscriberConfig{
		ConsumerGroup:    "peer",
		SchemaAdapter:    b.schema,
		OffsetsAdapter:   watermillsql.DefaultPostgreSQLOffsetsAdapter{},
		InitializeSchema: true,
		// None, which spares a timer for each message.
		AckDeadline: new(time.Duration),
	}
	subscriber, err := watermillsql.NewSubscriber(watermillsql.BeginnerFromPgx(b.pool), config, watermill.NopLogger{})
	if err != nil {
		return err
	}
	begun := time.Now()
	messages, err := subscriber.Subscribe(ctx, "backlog")
	if err != nil {
		return err
	}
	for range b.Backlog {
		message := <-messages
		message.Ack()
	}
	perSecond := float64(b.Backlog) / time.Since(begun).Seconds()
	if err := b.print(fmt.Sprintf("Watermill drain, one group, %d a query", subscribed), perSecond); err != nil {
		return err
	}
	return subscriber.Close()
}

func events(count int) []*message.Message {
	messages := make([]*message.Message, count)
	for n := range messages {
		messages[n] = message.NewMessage(watermill.NewUUID(), message.Payload(peer.Event))
	}
	return messages
}

func (b *bench) print(name string, perSecond float64) error {
	return peer.Print(peer.Figure{Name: name, Value: perSecond, Unit: "events/s", Version: b.version})
}
