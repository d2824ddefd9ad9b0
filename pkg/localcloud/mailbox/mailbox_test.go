package mailbox

import (
	"slices"
	"testing"
)

func TestBox(t *testing.T) {
	var b Box[string]
	b.Deliver("a")
	var seen []string
	b.OnMessage(func(m string) { seen = append(seen, m); b.Inbox() }) // must not hold a lock
	b.Deliver("b")
	got := b.Inbox()
	got[0] = "x"
	if !slices.Equal(seen, []string{"b"}) || !slices.Equal(b.Inbox(), []string{"a", "b"}) {
		t.Errorf("got %q from OnMessage and inbox %q, want [b] and [a b]", seen, b.Inbox())
	}
}
