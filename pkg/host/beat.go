package host

import (
	"encoding/json"
	"fmt"
	"time"

	"tocsin/pkg/store"
)

const (
	kindBeat       = "host"
	valuePrefix    = "host_value/"
	overPrefix     = "host_over/"
	offlinePrefix  = "host_offline/"
	enrolledPrefix = "host_enrolled/"
	checkKey       = "meta/host_check"
	enrolKey       = "meta/host_enrol"
)

func beatKey(id string) string           { return kindBeat + "/" + id }
func valueKey(id, service string) string { return valuePrefix + id + "/" + service }
func overKey(id, service string) string  { return overPrefix + id + "/" + service }

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

// put is a change that writes v as JSON.
func put(key string, v any) (store.Change, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return store.Change{}, fmt.Errorf("encode %s: %w", key, err)
	}
	return store.Change{Key: key, Value: b}, nil
}

// read decodes what put wrote. It reports whether the key is there.
func read(it store.Item, v any) (bool, error) {
	if it.Version == 0 {
		return false, nil
	}
	if err := json.Unmarshal(it.Value, v); err != nil {
		return false, fmt.Errorf("the store holds %s in a form that this version does not know: %w", it.Key, err)
	}
	return true, nil
}
