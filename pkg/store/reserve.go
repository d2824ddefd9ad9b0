package store

import (
	"context"
	"slices"
)

type reserveKey struct{}

// WithReserve returns a context whose commits may add items when the store is full, in the
// space that it keeps for them: those that finish what was accepted, such as deliveries,
// and make room by it. Other commits that add items fail with ErrFull then.
func WithReserve(ctx context.Context) context.Context {
	return context.WithValue(ctx, reserveKey{}, true)
}

// MayUseReserve reports whether a commit may use the reserve: with a context of
// WithReserve, or if every change deletes an item or replaces the one that it expects. Only
// backends need to call it.
func MayUseReserve(ctx context.Context, changes []Change) bool {
	adds := func(c Change) bool { return c.Value != nil && !c.Delete && c.If.version == 0 }
	return ctx.Value(reserveKey{}) != nil || !slices.ContainsFunc(changes, adds)
}
