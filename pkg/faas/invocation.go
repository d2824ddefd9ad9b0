package faas

import "context"

// Invocation is what the platform says about one event beside the event.
type Invocation struct {
	// RequestID is the platform's name for this event; retries have the same on
	// Lambda. Empty when the platform gives none.
	RequestID string
	// Function is the name under which the function is deployed.
	Function string
	// Cold tells that this is the first event of this instance.
	Cold bool
}

type invocationKey struct{}

// FromContext returns the invocation that ctx belongs to, and the zero
// Invocation outside of one.
func FromContext(ctx context.Context) Invocation {
	inv, _ := ctx.Value(invocationKey{}).(Invocation)
	return inv
}
