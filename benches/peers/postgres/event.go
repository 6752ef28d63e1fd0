// Package peer has what the measured programs share: the event, the load, the figures.
package peer

import (
	_ "embed"
	"strings"
)

//go:embed event.json
var file string

// Event is the payload of every event, JSON of 230 bytes.
var Event = strings.TrimSpace(file)
