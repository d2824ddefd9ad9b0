package dingtalk

import (
	"strings"
	"testing"
	"time"

	server "tocsin/pkg/localcloud/dingtalk"
	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/notify"
	"tocsin/pkg/notify/chat"
	"tocsin/pkg/notify/notifytest"
	"tocsin/pkg/store"
	"tocsin/pkg/store/memory"
)

// The 21st message of a minute shuts the robot for ten minutes. All instances
// learn it from one, and none knocks meanwhile.
func TestLock(t *testing.T) {
	g := newGroup(t, "zh")
	g.env.Store = memory.New()
	one, other := g.notifier(t, Config{}), g.notifier(t, Config{Type: "text"})
	for i := range server.PerMinute {
		if err := sendOne(t, t.Context(), one); err != nil {
			t.Fatalf("message %d: %v", i+1, err)
		}
	}
	if err := sendOne(t, t.Context(), one); err == nil || err.Class != notify.Rate || err.RetryAfter != 10*time.Minute {
		t.Errorf("message 21: %+v", err)
	}
	calls := g.Calls()
	g.now = g.now.Add(4 * time.Minute)
	for _, robot := range []notify.Notifier{one, other} {
		if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Rate || err.RetryAfter != 6*time.Minute || !strings.Contains(err.Message, "another 6m0s") {
			t.Errorf("four minutes later: %+v", err)
		}
	}
	if g.Calls() != calls {
		t.Errorf("%d calls while the robot is shut", g.Calls()-calls)
	}
	g.Add("another", server.Robot{Secret: secret})
	g.address = strings.Replace(g.address, token, "another", 1)
	if err := sendOne(t, t.Context(), g.notifier(t, Config{})); err != nil {
		t.Errorf("another robot: %v", err)
	}
	g.now = g.now.Add(6 * time.Minute)
	for _, robot := range []notify.Notifier{one, other} {
		if err := sendOne(t, t.Context(), robot); err != nil {
			t.Errorf("ten minutes later: %v", err)
		}
	}
}

// Only what shuts the robot is remembered, not what concerns one address.
func TestNoLock(t *testing.T) {
	for name, do := range map[string]fault.Handler{"address": server.RejectAddress, "calls a second": server.Reject(90018, "QPS"), "busy": server.Reject(-1, "busy")} {
		g := newGroup(t, "zh")
		g.env.Store = memory.New()
		robot := g.notifier(t, Config{})
		g.Inject(1, do)
		if err := sendOne(t, t.Context(), robot); err == nil {
			t.Errorf("%s: it counts as sent", name)
		}
		if err := sendOne(t, t.Context(), robot); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A store that does not work, is not there, or holds something else keeps no
// message back.
func TestLockWithoutStore(t *testing.T) {
	garbled, future := memory.New(), memory.New()
	key := lockoutKey(chat.Target("dingtalk", token))
	set := func(s store.Store, value string) {
		if err := s.Commit(t.Context(), notifytest.At, store.Change{Key: key, Value: []byte(value)}); err != nil {
			t.Fatal(err)
		}
	}
	set(garbled, "garbage")
	set(future, "2099-01-01T00:00:00Z")
	for name, s := range map[string]store.Store{"none": nil, "broken": notifytest.UnavailableStore{}, "garbled": garbled, "of a wrong clock": future} {
		g := newGroup(t, "zh")
		g.env.Store = s
		robot := g.notifier(t, Config{})
		g.Inject(1, server.Reject(410100, "too fast"))
		g.Inject(1, server.Reject(-1, "busy"))
		if err := sendOne(t, t.Context(), robot); err == nil || err.Class != notify.Rate || err.RetryAfter != 10*time.Minute {
			t.Errorf("%s: %+v", name, err)
		}
		g.now = g.now.Add(11 * time.Minute)
		if err := sendOne(t, t.Context(), robot); err == nil || err.Code != "-1" {
			t.Errorf("%s: %+v", name, err)
		}
	}
}
