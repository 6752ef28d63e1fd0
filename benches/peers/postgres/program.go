package peer

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"
)

// Program is what the command line asks for.
type Program struct {
	// URL of the database, which is empty.
	URL string
	// Words that follow it.
	Words []string
	// Window is how long each rate is measured.
	Window time.Duration
	// Backlog is how many events are to be drained.
	Backlog int
	// Samples is how often a latency is measured.
	Samples int
}

// Run measures what the command line asks for, and ends the process with 1 if that fails.
func Run(measure func(context.Context, Program) error) {
	var program Program
	flag.DurationVar(&program.Window, "window", 3*time.Second, "how long each rate is measured")
	flag.IntVar(&program.Backlog, "backlog", 200_000, "how many events are drained")
	flag.IntVar(&program.Samples, "samples", 600, "how often a latency is measured")
	flag.Usage = func() {
		fmt.Fprintf(flag.CommandLine.Output(), "usage: %s [option]… URL [word]…\n", os.Args[0])
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	program.URL, program.Words = flag.Arg(0), flag.Args()[1:]
	if err := measure(context.Background(), program); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		os.Exit(1)
	}
}
