package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"time"

	"github.com/riverqueue/river"

	"peer"
)

const (
	// Jobs of which the times are not kept.
	warmUps = 20
	// How long both processes idle before each job.
	idle = 25 * time.Millisecond
)

// latency inserts a job, waits until the other process has begun it, and again.
func (b *bench) latency(ctx context.Context) error {
	if err := b.migrate(ctx); err != nil {
		return err
	}
	begun, stop, err := b.startWorker(ctx)
	if err != nil {
		return err
	}
	defer stop()
	client, err := b.client(&river.Config{FetchCooldown: pause})
	if err != nil {
		return err
	}
	took := make([]float64, 0, b.Samples)
	for n := range warmUps + b.Samples {
		time.Sleep(idle)
		before := time.Now().UnixNano()
		if _, err := client.Insert(ctx, event, nil); err != nil {
			return err
		}
		if !begun.Scan() {
			return fmt.Errorf("the worker has ended: %w", begun.Err())
		}
		after, err := strconv.ParseInt(begun.Text(), 10, 64)
		if err != nil {
			return err
		}
		if n >= warmUps {
			took = append(took, float64(after-before)/1e6)
		}
	}
	slices.Sort(took)
	at := func(share float64) float64 { return took[int(share*float64(len(took)-1))] }
	return peer.Print(
		peer.Figure{Name: "River, idle insert to worker, p50", Value: at(0.50), Unit: "ms", Version: b.version},
		peer.Figure{Name: "River, idle insert to worker, p99", Value: at(0.99), Unit: "ms", Version: b.version},
	)
}

// startWorker starts the other process; each line is when it began a job.
func (b *bench) startWorker(ctx context.Context) (*bufio.Scanner, func(), error) {
	command := exec.CommandContext(ctx, os.Args[0], b.URL, "worker")
	command.Stderr = os.Stderr
	output, err := command.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	input, err := command.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := command.Start(); err != nil {
		return nil, nil, err
	}
	stop := func() {
		input.Close()
		command.Wait()
	}
	return bufio.NewScanner(output), stop, nil
}

// work prints when it began each job, until its input ends.
func (b *bench) work(ctx context.Context) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, river.WorkFunc(func(context.Context, *river.Job[job]) error {
		_, err := fmt.Println(time.Now().UnixNano())
		return err
	}))
	client, err := b.client(&river.Config{
		FetchCooldown: pause,
		Queues:        map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 100}},
		Workers:       workers,
	})
	if err != nil {
		return err
	}
	if err := client.Start(ctx); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	return client.StopAndCancel(ctx)
}
