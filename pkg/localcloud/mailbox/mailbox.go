// Package mailbox holds what a channel of the local cloud has delivered.
package mailbox

import (
	"slices"
	"sync"
)

// Box holds messages and tells of new ones. The zero Box is empty. It is safe
// for concurrent use.
type Box[M any] struct {
	mu        sync.Mutex
	inbox     []M
	onMessage func(M)
}

// OnMessage sets what is called, outside any lock, with every message that is
// delivered.
func (b *Box[M]) OnMessage(f func(M)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.onMessage = f
}

// Inbox returns the messages that were delivered, oldest first.
func (b *Box[M]) Inbox() []M {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.inbox)
}

// Deliver puts a message into the box. The caller holds no lock.
func (b *Box[M]) Deliver(m M) {
	b.mu.Lock()
	b.inbox = append(b.inbox, m)
	tell := b.onMessage
	b.mu.Unlock()
	if tell != nil {
		tell(m)
	}
}
