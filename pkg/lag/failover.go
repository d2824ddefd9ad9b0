package lag

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// maxPrimaryTime bounds the time of the primary reader.
	maxPrimaryTime = 10 * time.Second
	// skipAfterFailure is how many reads skip the primary reader after it failed.
	skipAfterFailure = 4
)

// NewFailoverReader returns a Reader of a cluster that can be read in two ways: by
// primary, through Kafka's protocol, and while that fails by secondary, through the
// cloud's API.
//
// The primary reader gets a third of the time left, and at most 10 s. After it
// failed, the next four reads skip it, so that not every poll waits for it. A
// Snapshot has the Source, the PrimaryErr, and as its Reader the one to query
// further. Only when both fail is there an error, with both causes.
func NewFailoverReader(primary, secondary Reader) Reader {
	return &failoverReader{primary: primary, secondary: secondary}
}

type failoverReader struct {
	primary, secondary Reader

	mu   sync.Mutex
	skip int   // how many more reads skip the primary reader
	err  error // of the last read by it
}

// Read implements Reader.
func (f *failoverReader) Read(ctx context.Context) (*Snapshot, error) {
	snap, primaryErr := f.readPrimary(ctx)
	if primaryErr == nil {
		return withSource(snap, SourceKafka, f.primary), nil
	}
	snap, err := f.secondary.Read(ctx)
	if err != nil {
		return nil, &bothFailedError{primaryErr, err}
	}
	snap = withSource(snap, SourceAPI, f.secondary)
	if snap != nil {
		snap.PrimaryErr = primaryErr
	}
	return snap, nil
}

// readPrimary reads by the primary reader, or returns its last error while it is
// skipped.
func (f *failoverReader) readPrimary(ctx context.Context) (*Snapshot, error) {
	f.mu.Lock()
	if f.skip > 0 {
		f.skip--
		defer f.mu.Unlock()
		return nil, f.err
	}
	f.mu.Unlock()
	timeout := maxPrimaryTime
	if deadline, ok := ctx.Deadline(); ok {
		timeout = min(timeout, time.Until(deadline)/3)
	}
	primaryCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	snap, err := f.primary.Read(primaryCtx)
	if err != nil && ctx.Err() == nil {
		f.mu.Lock()
		f.skip, f.err = skipAfterFailure, err
		f.mu.Unlock()
	}
	return snap, err
}

// Close closes the readers that have a method Close.
func (f *failoverReader) Close() {
	for _, r := range []Reader{f.primary, f.secondary} {
		if c, ok := r.(interface{ Close() }); ok {
			c.Close()
		}
	}
}

// withSource returns a copy of a snapshot with its source and reader; nil for nil.
func withSource(snap *Snapshot, source string, reader Reader) *Snapshot {
	if snap == nil {
		return nil
	}
	s := *snap
	s.Source, s.Reader = source, reader
	return &s
}

// bothFailedError is the error of a cluster that could be read in neither way.
type bothFailedError struct{ primary, secondary error }

func (e *bothFailedError) Error() string   { return e.Text("en") }
func (e *bothFailedError) Unwrap() []error { return []error{e.primary, e.secondary} }

// Text returns the message in a language, "zh" or "en".
func (e *bothFailedError) Text(language string) string {
	return fmt.Sprintf(messagesIn(language).bothFailed, errorText(e.primary, language), errorText(e.secondary, language))
}
