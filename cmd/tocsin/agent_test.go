//go:build linux

package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The command line is tested in cmd/tocsin-agent; here it is part of tocsin.
func TestAgent(t *testing.T) {
	runTool(t, "agent").want(t, 2, "tocsin agent: wrong usage: --server is missing")
	runTool(t, "agent", "--server", "alerts.example.com", "--id", "web-1", "--token", "a").want(t, 2, "--server must begin with https://")
	runTool(t, "agent", "--buffer", "many").want(t, 2, "not a size")
	runTool(t, "agent", "status", "--state", t.TempDir()).want(t, 1, "no agent runs in")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got, want := r.Method+" "+r.URL.Path, "GET /agents/web-1/config"; got != want {
			t.Errorf("got request %s, want %s", got, want)
		}
		io.WriteString(w, `{"services": {}}`)
		stop()
	}))
	defer server.Close()
	args := []string{"agent", "--server", server.URL, "--id", "web-1", "--token", "a", "--state", t.TempDir()}
	if r := runToolWith(ctx, nil, args...); r.status != 0 {
		t.Errorf("got exit status %d, want 0\n%s", r.status, r.stderr)
	}
}
