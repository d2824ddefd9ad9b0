package mailbox

import (
	"slices"
	"testing"
)

func TestBox(t *testing.T) {
	var b Box[string]
	b.Deliver("a")
	var told []string
	b.OnMessage(func(m string) { told = append(told, m); b.Inbox() }) // holds no lock
	b.Deliver("b")
	got := b.Inbox()
	got[0] = "x"
	if !slices.Equal(told, []string{"b"}) || !slices.Equal(b.Inbox(), []string{"a", "b"}) {
		t.Errorf("told %q, inbox %q", told, b.Inbox())
	}
}
