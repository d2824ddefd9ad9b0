package agent

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// script writes an executable of that name, and returns its directory.
func script(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// collectOnce collects what an executable prints.
func collectOnce(t *testing.T, dir, name string, interval time.Duration) (string, error) {
	t.Helper()
	p, err := plugins{dir: dir}.open(service{name: "S", plugin: name, interval: interval})
	if err != nil {
		return "", err
	}
	data, err := p.collect(t.Context(), time.Now())
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(data)
	return string(text), err
}

func TestExecutable(t *testing.T) {
	t.Setenv("TOCSIN_AGENT_TOKEN", testToken)
	tests := []struct{ name, script, want string }{
		{"lines", "echo queue=3; echo state=idle", `{"queue":3,"state":"idle"}`},
		{"JSON", `echo '{"queue": {"depth": 3}}'`, `{"queue":{"depth":3}}`},
		{"complaints", "echo a=1; echo trouble >&2", `{"a":1}`},
		{"nothing on standard input", "read x; echo a=$?", `{"a":1}`},
		{"no arguments", "echo n=$#", `{"n":0}`},
	}
	for _, test := range tests {
		if got, err := collectOnce(t, script(t, "p", test.script), "p", time.Minute); err != nil || got != test.want {
			t.Errorf("%s: %s, %v; want %s", test.name, got, err, test.want)
		}
	}
	dir := script(t, "p", "env; pwd | sed s/^/HERE=/")
	got, err := collectOnce(t, dir, "p", time.Minute)
	var env map[string]any
	if err != nil || json.Unmarshal([]byte(got), &env) != nil {
		t.Fatal(got, err)
	}
	if env["HERE"] != dir || env["LANG"] != "C" || !strings.HasPrefix(env["PATH"].(string), "/usr/local/sbin:") || strings.Contains(got, testToken) {
		t.Errorf("environment %s", got)
	}
	delete(env, "PWD") // the shell's own
	delete(env, "SHLVL")
	delete(env, "_")
	delete(env, "OLDPWD")
	if len(env) != 3 {
		t.Errorf("environment %v, want PATH and LANG", env)
	}
}

func TestExecutableFails(t *testing.T) {
	tests := []struct{ name, script, want string }{
		{"an exit status", "echo a=1; echo '  no such\nqueue' >&2; exit 3", "p: exit status 3: no such queue"},
		{"a signal", "kill -9 $$", "p: signal: killed"},
		{"too much", "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done", "more than 65536 bytes"},
		{"too much, and deaf", "trap '' PIPE TERM; while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done", "more than 65536 bytes"},
		{"no data", "true", "printed nothing"},
	}
	for _, test := range tests {
		if got, err := collectOnce(t, script(t, "p", test.script), "p", time.Minute); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %s, %v; want %q", test.name, got, err, test.want)
		}
	}
	dir := script(t, "p", "echo a=1")
	for _, test := range []struct {
		mode os.FileMode
		want string
	}{{0o600, "chmod +x"}, {0o707, "chmod o-w"}} {
		if err := os.Chmod(filepath.Join(dir, "p"), test.mode); err != nil {
			t.Fatal(err)
		}
		if got, err := collectOnce(t, dir, "p", time.Minute); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("mode %o: %s, %v; want %q", test.mode, got, err, test.want)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"d": "not an executable file", "q": "no such file", "": "cannot be the name", ".p": "cannot be the name", "../p": "cannot be the name", "a/b": "cannot be the name", "..": "cannot be the name", "a\x00b": "cannot be the name"} {
		if got, err := collectOnce(t, dir, name, time.Minute); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %s, %v; want %q", name, got, err, want)
		}
	}
	if _, err := collectOnce(t, "", "p", time.Minute); err == nil || !strings.Contains(err.Error(), "--plugins") {
		t.Errorf("without a directory: %v", err)
	}
}

// A plugin that hangs is killed with all its children; one that leaves a child
// behind is cleaned up after.
func TestExecutableLeavesNobody(t *testing.T) {
	for name, text := range map[string]string{
		"hangs":                                "sleep 1000 & echo $! >child; wait",
		"leaves a child":                       "sleep 1000 >/dev/null 2>&1 & echo $! >child; echo a=1",
		"leaves a child that holds its output": "sleep 1000 & echo $! >child; echo a=1",
	} {
		dir := script(t, "p", text)
		output, err := runExecutable(t.Context(), dir, "p", 500*time.Millisecond)
		if clean := strings.HasSuffix(name, "a child"); clean != (err == nil) {
			t.Errorf("%s: %q, %v", name, output, err)
		}
		wantGone(t, childOf(t, dir))
	}
	// The agent's end is the plugin's.
	dir := script(t, "p", "sleep 1000 & echo $! >child; echo a=1; wait")
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		for ctx.Err() == nil {
			if text, _ := os.ReadFile(filepath.Join(dir, "child")); len(text) > 0 {
				cancel()
			}
		}
	}()
	if output, err := runExecutable(ctx, dir, "p", time.Minute); err == nil {
		t.Errorf("it ended with %q", output)
	}
	cancel()
	wantGone(t, childOf(t, dir))
}

// childOf returns the process whose number a script wrote down.
func childOf(t *testing.T, dir string) int {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "child"))
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// wantGone wants that a process is gone, or has ended and waits for its parent.
func wantGone(t *testing.T, pid int) {
	t.Helper()
	for range 1 << 20 { // an end takes a moment
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return
		}
		if _, rest, _ := strings.Cut(string(stat), ") "); rest == "" || rest[0] == 'Z' || rest[0] == 'X' {
			return
		}
	}
	t.Errorf("process %d still lives", pid)
}
