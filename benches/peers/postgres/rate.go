package peer

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"
)

const warmUp = 500 * time.Millisecond

// Pace is what a load of many publishers came to.
type Pace struct {
	// PerSecond is counted after a warm-up.
	PerSecond float64
	// Total is what was stored from the first call to the last.
	Total int64
}

// Rate lets so many publishers call again and again, each waiting for its outcome. A call returns how many events it
// stored.
func Rate(ctx context.Context, publishers int, window time.Duration, call func(context.Context) (int, error)) (Pace, error) {
	var stored atomic.Int64
	var over atomic.Bool
	group, ctx := errgroup.WithContext(ctx)
	for range publishers {
		group.Go(func() error {
			for !over.Load() {
				count, err := call(ctx)
				if err != nil {
					return err
				}
				stored.Add(int64(count))
			}
			return nil
		})
	}
	pause(ctx, warmUp)
	begun, before := time.Now(), stored.Load()
	pause(ctx, window)
	perSecond := float64(stored.Load()-before) / time.Since(begun).Seconds()
	over.Store(true)
	err := group.Wait()
	return Pace{perSecond, stored.Load()}, err
}

func pause(ctx context.Context, duration time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(duration):
	}
}
