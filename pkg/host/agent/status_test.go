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

// One directory is for one agent, and the next one finds it free.
func TestOneAgentPerDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	a, _ := newAgent(t, newServer(t, "{}"), dir)
	o := Options{Server: "https://alerts.example.com", ID: "web-1", Token: testToken, StateDir: dir, BufferSize: minBuffer, Log: slog.New(slog.DiscardHandler)}
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "another agent") {
		t.Errorf("a second agent: %v", err)
	}
	a.lock.Close()
	b, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.lock.Close()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v; want nobody else to look into it", info.Mode(), err)
	}
	o.BufferSize = minBuffer - 1
	if _, err := New(o); err == nil || !strings.Contains(err.Error(), "--buffer") {
		t.Errorf("a buffer that is too small: %v", err)
	}
}

// The status is told to whoever asks in the directory, over no port.
func TestStatus(t *testing.T) {
	dir := t.TempDir()
	if _, err := QueryStatus(t.Context(), dir); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("nobody there: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, socketName), nil, 0o600); err != nil { // as a killed run leaves one
		t.Fatal(err)
	}
	s := newServer(t, `{"LinuxLoad": ["load", 1]}`)
	a, l := newAgent(t, s, dir)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error)
	go func() { ended <- a.Run(ctx) }()
	<-s.arrived
	st, err := QueryStatus(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if st.ID != "web-1" || st.Server != "https://alerts.example.com/" || st.ConfigRead == nil || len(st.Services) != 1 || st.Services[0].Plugin != "load" || st.Services[0].Seconds != 1 || time.Since(st.Started) > time.Minute {
		t.Errorf("%+v", st)
	}
	if text, _ := json.Marshal(st); strings.Contains(string(text)+l.String(), testToken) {
		t.Errorf("the token is told: %s\n%s", text, l)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := QueryStatus(t.Context(), dir); err == nil {
		t.Error("an agent that has stopped answers")
	}
}
