package peer

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
)

// Figure is one measured value, printed as a line of JSON.
type Figure struct {
	Name    string  `json:"name"`
	Value   float64 `json:"value"`
	Unit    string  `json:"unit"`
	Version string  `json:"version"`
}

// Print writes figures to the standard output, each in a line.
func Print(figures ...Figure) error {
	for _, figure := range figures {
		if err := json.NewEncoder(os.Stdout).Encode(figure); err != nil {
			return err
		}
	}
	return nil
}

// Version tells which version of a module this program was built with, with the module's name before it.
func Version(name, module string) string {
	build, _ := debug.ReadBuildInfo()
	for _, dependency := range build.Deps {
		if dependency.Path == module {
			return fmt.Sprintf("%s %s", name, dependency.Version)
		}
	}
	return name
}
