package outbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/store"
	"tocsin/pkg/store/keyspace"
)

// Entry is a notification for one integration in the outbox.
type Entry struct {
	alert.Notification
	Kind  string `json:"kind"`
	Index int    `json:"index"`
	// Since is when it was first enqueued.
	Since time.Time `json:"since"`
	// Attempts counts the attempts that were started. Attempting reports that the
	// result of the last one has not been recorded.
	Attempts   int  `json:"attempts,omitempty"`
	Attempting bool `json:"attempting,omitempty"`
	// Holder is the instance that has leased the entry, until it is due.
	Holder string `json:"holder,omitempty"`
	// Failed has the units that will not be retried, with their errors.
	Failed map[string]string `json:"failed,omitempty"`
	// LastError is the error of the last attempt that failed in part or in whole,
	// and FailureReason its reason in the words of Alertmanager's metrics.
	LastError     string `json:"lastError,omitempty"`
	FailureReason string `json:"fault,omitempty"`

	// Group, Scheduled and Interval are those of the Request.
	Group     string        `json:"group,omitempty"`
	Scheduled time.Time     `json:"scheduled,omitzero"`
	Interval  time.Duration `json:"interval,omitempty"`
	// Accepted reports that a unit was accepted, or may have been.
	Accepted bool `json:"accepted,omitempty"`
	// LetterID is the ID of the dead letter, if not that of the entry: the first
	// notification of the group that was refused since one was accepted has it.
	LetterID string `json:"letter,omitempty"`
	// Origins are the keys of the entries that are waiting for another attempt in
	// case that this fallback's notification is not accepted.
	Origins []string `json:"origins,omitempty"`

	item      store.Item     // as last read; only its key before it was committed
	heldUntil time.Time      // by the wall clock, for a leased entry
	muted     []*alert.Alert // left out of this attempt; stored among the alerts
}

// refused reports whether a receiver has refused the notification, or one that it
// replaced, and none has accepted it since.
func (e *Entry) refused() bool { return e.Interval > 0 && e.LetterID != "" }

// MarshalBinary appends the alerts in binary form to one line of JSON with the
// other fields.
func (e Entry) MarshalBinary() ([]byte, error) {
	type fields Entry
	rest := fields(e)
	rest.Alerts = nil
	b, err := json.Marshal(rest)
	if err != nil {
		return nil, err
	}
	alerts := slices.Concat(e.Alerts, e.muted)
	b = append(slices.Grow(b, 512*len(alerts)), '\n')
	for _, a := range alerts {
		if b, err = a.AppendBinary(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

var errAlertsMissing = errors.New("the alerts are missing")

// UnmarshalBinary decodes what MarshalBinary returned.
func (e *Entry) UnmarshalBinary(b []byte) error {
	type fields Entry
	rest, alerts, found := bytes.Cut(b, []byte{'\n'})
	if !found {
		return errAlertsMissing
	}
	if err := json.Unmarshal(rest, (*fields)(e)); err != nil {
		return err
	}
	e.Alerts = nil
	for len(alerts) > 0 {
		a := new(alert.Alert)
		var err error
		if alerts, err = a.ReadBinary(alerts); err != nil {
			return err
		}
		e.Alerts = append(e.Alerts, a)
	}
	return nil
}

// newEntry returns the entry of a notification for an integration, enqueued at since.
func newEntry(n alert.Notification, in Integration, since time.Time) *Entry {
	return &Entry{Notification: n, Kind: in.Kind.Name, Index: in.Index, Since: since, item: store.Item{Key: keyspace.Outbox + n.ID}}
}

// mergeAlerts returns the alerts of several notifications, latest first, each alert
// once as the latest notification has it.
func mergeAlerts(latestFirst ...[]*alert.Alert) []*alert.Alert {
	known := map[alert.Fingerprint]bool{}
	var merged []*alert.Alert
	for _, alerts := range latestFirst {
		for _, a := range alerts {
			if fp := a.Fingerprint(); !known[fp] {
				known[fp] = true
				merged = append(merged, a)
			}
		}
	}
	return merged
}
