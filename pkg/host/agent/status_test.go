package agent

import (
	"context"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A state directory belongs to one agent at a time, and to no other user.
func TestStateDirIsLocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	first, _ := newTestAgent(t, newTestServer(t, "{}"), dir)
	o := Options{Server: "https://alerts.example.com", ID: "web-1", Token: testToken, StateDir: dir, BufferSize: minBufferSize, Log: slog.New(slog.DiscardHandler)}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("second agent: got %v, want an error about another agent", err)
	}
	first.lock.Close()
	next, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	next.lock.Close()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("got mode %v, %v, want 0700", info.Mode(), err)
	}
}

func TestQueryStatus(t *testing.T) {
	dir := t.TempDir()
	if _, err := QueryStatus(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("without an agent: got %v, want an error that names --state", err)
	}
	if err := os.WriteFile(filepath.Join(dir, socketName), nil, 0o600); err != nil { // left by a run that was killed
		t.Fatal(err)
	}
	s := newTestServer(t, `{"LinuxLoad": ["load", 1]}`)
	a, l := newTestAgent(t, s, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	<-s.arrived
	st, err := QueryStatus(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if st.ID != "web-1" || st.Server != "https://alerts.example.com/" || st.ConfigRead == nil || st.RunID != a.runID || time.Since(st.Started) > time.Minute {
		t.Errorf("got %+v, want web-1, its server, a configuration and a start in the last minute", st)
	}
	if len(st.Services) != 1 || st.Services[0].Plugin != "load" || st.Services[0].Seconds != 1 {
		t.Errorf("got services %+v, want load every second", st.Services)
	}
	if text, _ := json.Marshal(st); strings.Contains(string(text)+l.String(), testToken) {
		t.Errorf("got the token in the status or the log:\n%s\n%s", text, l)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
	if _, err := QueryStatus(t.Context(), dir); err == nil {
		t.Error("after the end: got a status, want an error")
	}
}
