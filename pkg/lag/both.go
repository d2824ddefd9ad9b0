package lag

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// longestTry bounds how long the first of two ways is tried.
	longestTry = 10 * time.Second
	// restAfter is how many reads leave the first way alone after it failed.
	restAfter = 4
)

// Both returns a Reader of a cluster that can be read in two ways: by first,
// which is Kafka's own protocol, and while that fails by second, the cloud's API.
//
// The first way has a third of the time there is, and 10 s at most. When it
// failed, the next four reads go the second way at once, so that not every poll
// waits for what does not answer. A Snapshot says in Source which way it came,
// in Instead what was wrong with the first, and in By who can be asked on. Only
// when both fail is there an error, which names both causes.
func NewFailoverReader(first, second Reader) Reader {
	return &failoverReader{first: first, second: second}
}

type failoverReader struct {
	first, second Reader

	mu   sync.Mutex
	rest int   // reads to come that leave the first way alone
	err  error // why
}

// Read implements Reader.
func (b *failoverReader) Read(ctx context.Context) (*Snapshot, error) {
	snap, first := b.try(ctx)
	if first == nil {
		return withSource(snap, SourceKafka, b.first), nil
	}
	snap, second := b.second.Read(ctx)
	if second != nil {
		return nil, &bothFailedError{first, second}
	}
	snap = withSource(snap, SourceAPI, b.second)
	if snap != nil {
		snap.PrimaryErr = first
	}
	return snap, nil
}

// try reads the first way, unless that failed a short while ago.
func (b *failoverReader) try(ctx context.Context) (*Snapshot, error) {
	b.mu.Lock()
	if b.rest > 0 {
		b.rest--
		defer b.mu.Unlock()
		return nil, b.err
	}
	b.mu.Unlock()
	limit := longestTry
	if deadline, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(deadline)/3)
	}
	trying, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	snap, err := b.first.Read(trying)
	if err != nil && ctx.Err() == nil {
		b.mu.Lock()
		b.rest, b.err = restAfter, err
		b.mu.Unlock()
	}
	return snap, err
}

// Close closes both, as far as they can be.
func (b *failoverReader) Close() {
	for _, r := range []Reader{b.first, b.second} {
		if c, ok := r.(interface{ Close() }); ok {
			c.Close()
		}
	}
}

// came notes in a snapshot which way it came.
func withSource(snap *Snapshot, source string, by Reader) *Snapshot {
	if snap == nil {
		return nil
	}
	noted := *snap
	noted.Source, noted.Reader = source, by
	return &noted
}

// neither is the error of a cluster that could be read in neither way.
type bothFailedError struct{ first, second error }

func (n *bothFailedError) Error() string   { return n.Text("en") }
func (n *bothFailedError) Unwrap() []error { return []error{n.first, n.second} }

// Text says it in a language, "zh" or "en".
func (n *bothFailedError) Text(language string) string {
	return fmt.Sprintf(wordsIn(language).neither, cause(n.first, language), cause(n.second, language))
}
