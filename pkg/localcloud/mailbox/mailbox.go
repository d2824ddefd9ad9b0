// Package mailbox holds the messages that a channel of the local cloud delivered.
package mailbox

import (
	"slices"
	"sync"
)

// Box holds messages and calls a function for each new one. The zero Box is empty. It is
// safe for concurrent use.
type Box[M any] struct {
	mu        sync.Mutex
	inbox     []M
	onMessage func(M)
}

// OnMessage sets the function that is called, outside any lock, with every delivered
// message.
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

// Deliver adds a message. The caller must hold no lock.
func (b *Box[M]) Deliver(m M) {
	b.mu.Lock()
	b.inbox = append(b.inbox, m)
	onMessage := b.onMessage
	b.mu.Unlock()
	if onMessage != nil {
		onMessage(m)
	}
}
