package main

import (
	"encoding/json"

	"peer"
)

// job has the event as its arguments.
type job struct {
	ShiftID string `json:"shiftId"`
	Note    string `json:"note"`
}

func (job) Kind() string { return "shift.signup.created" }

var event = func() (parsed job) {
	if err := json.Unmarshal([]byte(peer.Event), &parsed); err != nil {
		panic(err)
	}
	return parsed
}()
