package outbox

import (
	"sync"
	"time"
)

const (
	// maxBatch is how many entries one integration has leased at most, and
	// maxBatchBytes the size that they may have in the store together, unless one takes more.
	maxBatch      = 256
	maxBatchBytes = 4 << 20
	// batchTime is how long a batch should take: leased entries will be sent soon.
	batchTime = 5 * time.Second
	// firstCost is the time that an entry of an integration takes, until it is known.
	firstCost = 200 * time.Millisecond
	// maxPutOff is how long an entry of a busy integration is put off at most.
	maxPutOff = 15 * time.Second
	// maxChannelWait is how long the failures of a channel delay notifications that
	// were not attempted, unless the channel asks for more.
	maxChannelWait = 15 * time.Second
)

// integrationState is what an instance knows about an integration from its attempts.
type integrationState struct {
	cost      time.Duration        // moving average of the time that an entry takes; 0 is unknown
	failures  int                  // attempts in a row that the channel failed
	waitUntil time.Time            // when the channel may be tried again
	lockedOut map[string]time.Time // when targets may be tried again
}

// integrationStates are the states by name of the integration. They are safe for
// concurrent use.
type integrationStates struct {
	mu     sync.Mutex
	byName map[string]*integrationState
}

func newIntegrationStates() *integrationStates {
	return &integrationStates{byName: map[string]*integrationState{}}
}

// of returns the state of an integration; the caller holds mu.
func (s *integrationStates) of(name string) *integrationState {
	if s.byName[name] == nil {
		s.byName[name] = &integrationState{lockedOut: map[string]time.Time{}}
	}
	return s.byName[name]
}

// waitUntil returns when the channel may be tried again, if that is after now, and not
// later than any retry: then the clock was ahead.
func (s *integrationStates) waitUntil(name string, now time.Time) (until time.Time, waits bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	until = s.of(name).waitUntil
	return until, until.After(now) && until.Sub(now) <= maxDelay
}

// lockedOut returns the targets that are locked out at now.
func (s *integrationStates) lockedOut(name string, now time.Time) map[string]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	current := map[string]time.Time{}
	for target, until := range s.of(name).lockedOut {
		if until.After(now) {
			current[target] = until
		} else {
			delete(s.of(name).lockedOut, target)
		}
	}
	return current
}

// cost returns the time that an entry takes, at least that of so many commands of
// the store.
func (s *integrationStates) cost(name string, commands int, roundTrip time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.of(name).cost; known > 0 {
		return max(known, time.Millisecond)
	}
	return max(firstCost, time.Duration(commands)*roundTrip)
}

// record records an attempt that took so long.
func (s *integrationStates) record(name string, now time.Time, took time.Duration, a attemptResult) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.of(name)
	if st.cost == 0 {
		st.cost = took
	}
	st.cost = max((3*st.cost+took)/4, 1)
	switch {
	case a.overQuota || a.retry == nil: // other targets may have quota left
		st.failures = 0
	case a.lockedOut != "":
		st.lockedOut[a.lockedOut] = now.Add(a.wait)
	case a.wait > 0:
		st.failures++
		wait := max(a.wait, backoff(name, st.failures))
		st.waitUntil = now.Add(min(wait, max(maxChannelWait, a.retry.RetryAfter)))
	}
}
