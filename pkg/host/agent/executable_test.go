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

// writeScript writes an executable of that name and returns its directory.
func writeScript(t *testing.T, name, text string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// collectJSON runs the executable plugin of that name once.
func collectJSON(t *testing.T, dir, name string) (string, error) {
	t.Helper()
	p, err := plugins{dir: dir}.open(service{name: "S", plugin: name, interval: time.Minute})
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
	for name, tt := range map[string]struct{ script, want string }{
		"lines of key=value":      {"echo queue=3; echo state=idle", `{"queue":3,"state":"idle"}`},
		"JSON":                    {`echo '{"queue": {"depth": 3}}'`, `{"queue":{"depth":3}}`},
		"output on stderr":        {"echo a=1; echo trouble >&2", `{"a":1}`},
		"standard input is empty": {"read x; echo a=$?", `{"a":1}`},
		"there are no arguments":  {"echo n=$#", `{"n":0}`},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := collectJSON(t, writeScript(t, "p", tt.script), "p"); err != nil || got != tt.want {
				t.Errorf("got %s, %v, want %s", got, err, tt.want)
			}
		})
	}
}

func TestExecutableEnvironment(t *testing.T) {
	t.Setenv("TOCSIN_AGENT_TOKEN", testToken)
	dir := writeScript(t, "p", "env; pwd | sed s/^/HERE=/")
	got, err := collectJSON(t, dir, "p")
	var env map[string]any
	if err != nil || json.Unmarshal([]byte(got), &env) != nil {
		t.Fatalf("got %s, %v, want the environment", got, err)
	}
	if env["HERE"] != dir || env["LANG"] != "C" || !strings.HasPrefix(env["PATH"].(string), "/usr/local/sbin:") || strings.Contains(got, testToken) {
		t.Errorf("got environment %s, want the directory %s, LANG=C, a PATH, and no token", got, dir)
	}
	for _, name := range []string{"PWD", "SHLVL", "_", "OLDPWD", "TOCSIN_PLUGIN_RUN"} { // all but the last are set by the shell
		delete(env, name)
	}
	if len(env) != 3 {
		t.Errorf("got environment %v, want PATH, LANG and TOCSIN_PLUGIN_RUN only", env)
	}
}

func TestExecutableFails(t *testing.T) {
	const endless = "while :; do echo aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa; done"
	for name, tt := range map[string]struct{ script, want string }{
		"exit status":                      {"echo a=1; echo '  no such\nqueue' >&2; exit 3", "p: exit status 3: no such queue"},
		"signal":                           {"kill -9 $$", "p: signal: killed"},
		"too much output":                  {endless, "more than 65536 bytes"},
		"too much output, ignores SIGPIPE": {"trap '' PIPE TERM; " + endless, "more than 65536 bytes"},
		"no output":                        {"true", "printed nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := collectJSON(t, writeScript(t, "p", tt.script), "p"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %s, %v, want an error with %q", got, err, tt.want)
			}
		})
	}
}

func TestExecutableIsRejected(t *testing.T) {
	dir := writeScript(t, "p", "echo a=1")
	write := func(name string, mode os.FileMode) {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/sh\necho a=1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	write("unexecutable", 0o600)
	write("writable", 0o707)
	if err := os.Mkdir(filepath.Join(dir, "directory"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"unexecutable": "chmod +x", "writable": "chmod o-w", "directory": "not an executable file", "missing": "no such file",
		"": "cannot be the name", ".p": "cannot be the name", "../p": "cannot be the name", "a/b": "cannot be the name", "..": "cannot be the name", "a\x00b": "cannot be the name",
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := collectJSON(t, dir, name); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %s, %v, want an error with %q", got, err, want)
			}
		})
	}
	if _, err := collectJSON(t, "", "p"); err == nil || !strings.Contains(err.Error(), "--plugins") {
		t.Errorf("without a directory: got %v, want an error that names --plugins", err)
	}
}

// All processes that a plugin started are killed when it ends or hangs, or when
// the agent stops.
func TestExecutableLeavesNoProcess(t *testing.T) {
	for name, tt := range map[string]struct {
		script string
		ok     bool
	}{
		"hangs":                                   {"sleep 1000 & echo $! >child; wait", false},
		"leaves a child":                          {"sleep 1000 >/dev/null 2>&1 & echo $! >child; echo a=1", true},
		"leaves a child with its output":          {"sleep 1000 & echo $! >child; echo a=1", false},
		"leaves a session":                        {"setsid sh -c 'echo $$ >child; sleep 1000' >/dev/null 2>&1 & while ! [ -s child ]; do :; done; echo a=1", true},
		"hangs, with a session":                   {"setsid sh -c 'echo $$ >child; sleep 1000' >/dev/null 2>&1 & wait", false},
		"leaves a daemon":                         {"setsid sh -c '(sleep 1000 & echo $! >child)' >/dev/null 2>&1; echo a=1", true},
		"leaves a daemon without the environment": {"env -i setsid sh -c '(sleep 1000 & echo $! >child)' >/dev/null 2>&1; echo a=1", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeScript(t, "p", tt.script)
			output, err := runExecutable(t.Context(), dir, "p", 500*time.Millisecond)
			if tt.ok != (err == nil) {
				t.Errorf("got %q, %v, want success %v", output, err, tt.ok)
			}
			wantGone(t, childOf(t, dir))
		})
	}
	t.Run("agent stops", func(t *testing.T) {
		dir := writeScript(t, "p", "sleep 1000 & echo $! >child; echo a=1; wait")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go func() {
			for ctx.Err() == nil {
				if text, _ := os.ReadFile(filepath.Join(dir, "child")); len(text) > 0 {
					cancel()
				}
			}
		}()
		if output, err := runExecutable(ctx, dir, "p", time.Minute); err == nil {
			t.Errorf("got output %q, want an error", output)
		}
		wantGone(t, childOf(t, dir))
	})
}

// childOf returns the process id that a script wrote to the file child.
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

// wantGone fails the test unless a process has ended, or is a zombie.
func wantGone(t *testing.T, pid int) {
	t.Helper()
	for range 1 << 20 { // a process takes a moment to end
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return
		}
		if _, rest, _ := strings.Cut(string(stat), ") "); rest == "" || rest[0] == 'Z' || rest[0] == 'X' {
			return
		}
	}
	t.Errorf("got process %d running, want it gone", pid)
}

func TestParseOutput(t *testing.T) {
	for name, tt := range map[string]struct{ output, want string }{
		"lines":                        {"queue=12\nage_seconds=1.5\nok=true\nname=a = b\n", `{"age_seconds":1.5,"name":"a = b","ok":true,"queue":12}`},
		"blanks, comments and CRLF":    {"\r\n# of today\r\n  depth = -3 \r\n\r\nlate=false", `{"depth":-3,"late":false}`},
		"no value":                     {"note=", `{"note":""}`},
		"text that resembles a number": {"a=0x10\nb=1_000\nc=inf\nd=NaN\ne=1e999\nf=-\ng=1.2.3", `{"a":"0x10","b":"1_000","c":"inf","d":"NaN","e":"1e999","f":"-","g":"1.2.3"}`},
		"numbers that JSON has not":    {"a=007\nb=+5\nc=.5\nd=5.\ne=12345678901234567890", `{"a":7,"b":5,"c":0.5,"d":5,"e":12345678901234567890}`},
		"invalid UTF-8":                {"a=\xff", "{\"a\":\"\uFFFD\"}"},
		"JSON":                         {` {"a": {"b": [1, 2]}, "big": 12345678901234567890} ` + "\n", `{"a":{"b":[1,2]},"big":12345678901234567890}`},
		"an empty object":              {"{}", `{}`},
	} {
		t.Run(name, func(t *testing.T) {
			data, err := parseOutput([]byte(tt.output))
			got, _ := json.Marshal(data)
			if err != nil || string(got) != tt.want {
				t.Errorf("got %s, %v\nwant %s", got, err, tt.want)
			}
		})
	}
}

func TestParseInvalidOutput(t *testing.T) {
	for output, want := range map[string]string{
		"":                "nothing",
		" \n\t":           "nothing",
		"# one\n":         "nothing but comments",
		"a=1\nOK":         "line 2",
		"=1":              "line 1",
		"a b=1":           "line 1",
		"a.b=1":           "line 1",
		"a=1\n\na=2":      "line 3",
		"[1]":             "line 1",
		`{"a":1`:          "like JSON",
		`{"a":1} {}`:      "more than one",
		`{"a":1} x`:       "more than one",
		`{"a":NaN}`:       "like JSON",
		"{" + "\x00" + "": "like JSON",
	} {
		t.Run(output, func(t *testing.T) {
			if data, err := parseOutput([]byte(output)); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, %v, want an error with %q", data, err, want)
			}
		})
	}
}

// Output that is accepted can be encoded as JSON, and that is parsed to the same
// data.
func FuzzParseOutput(f *testing.F) {
	for _, s := range []string{"a=1\nb=x", `{"a":{"b":[1,"x",null]}}`, "a=1e5\n#\n", "{", "a=\xff", "a=00.5e-3"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, output []byte) {
		data, err := parseOutput(output)
		if err != nil {
			return
		}
		text, err := json.Marshal(data)
		if err != nil {
			t.Fatalf("%q: got data that cannot be encoded as JSON: %v", output, err)
		}
		again, err := parseOutput(text)
		if err != nil {
			t.Fatalf("%s: got %v, want nil", text, err)
		}
		if got, _ := json.Marshal(again); string(got) != string(text) {
			t.Errorf("got %s, want %s", got, text)
		}
	})
}
