package host

import (
	"time"

	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// hostQueue is the queue in which hosts are due when they have been silent for too
// long.
var hostQueue = store.Kind(keyspace.Host)

func beatKey(id string) string           { return keyspace.Host + id }
func valueKey(id, service string) string { return keyspace.HostValue + id + "/" + service }
func overKey(id, service string) string  { return keyspace.HostBreach + id + "/" + service }

// beat is when a host last reported. It is due when the host is silent too long.
type beat struct {
	// At is the time of the newest report, Live that of the newest that came in
	// time; what an agent sends later of what it gathered while it was offline
	// comes late.
	At   time.Time `json:"at"`
	Live time.Time `json:"live,omitzero"`
	// Up is when it began to report without a silence.
	Up      time.Time `json:"up,omitzero"`
	Address string    `json:"address,omitempty"`
}

// next is the beat after a report that was made at a time and came in now, and
// when the host will be silent for too long. A late report is no sign of life
// newer than its time; but while the host sends what it gathered it is not
// judged.
func (b beat) next(now, at time.Time, address string, after time.Duration) (next beat, due time.Time) {
	next = b
	if at.After(b.At) {
		next.At = at
	}
	due = next.At.Add(after)
	if !inTime(now, at, after) {
		return next, now.Add(after)
	}
	if at.Sub(b.Live) >= after {
		next.Up = at
	}
	if at.After(b.Live) {
		next.Live = at
	}
	if address != "" {
		next.Address = address
	}
	return next, due
}

// inTime tells that a report which was made at a time says how the host is now.
func inTime(now, at time.Time, after time.Duration) bool { return now.Sub(at) < after }

// made is when a report was made, to the millisecond as the store knows times: not
// in the time to come, and not so long ago that its value would be forgotten.
func made(at, now time.Time) time.Time {
	if at.IsZero() || at.After(now) {
		at = now
	}
	if oldest := now.Add(-valueRetention); at.Before(oldest) {
		at = oldest
	}
	return at.UTC().Truncate(time.Millisecond)
}
