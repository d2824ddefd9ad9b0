package backend

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "tocsin.db")
	for _, url := range []string{"memory:", "bolt:" + path} {
		scheme, _, _ := strings.Cut(url, ":")
		t.Run(scheme, func(t *testing.T) {
			if err := Check(url); err != nil {
				t.Errorf("got %v from Check, want no error", err)
			}
			if _, err := os.Stat(path); err == nil {
				t.Fatal("got a file after Check, want none")
			}
			s, err := Open(t.Context(), url)
			if err != nil {
				t.Fatal(err)
			}
			if items, err := s.Get(t.Context(), "a/1"); err != nil || len(items) != 1 {
				t.Errorf("got %v, %v from Get, want one item", items, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("got %v, want the bolt file at the path of the url", err)
	}
}

func TestOpenRejectsURL(t *testing.T) {
	for url, want := range map[string]string{
		"":                              "no scheme: use memory:, bolt:PATH, redis://HOST or rediss://HOST",
		"hunter2":                       "no scheme: use memory:, bolt:PATH, redis://HOST or rediss://HOST",
		"etcd://u:hunter2@10.0.0.1:237": `unknown scheme "etcd": use memory:, bolt:PATH, redis://HOST or rediss://HOST`,
		"Memory:":                       `unknown scheme "Memory"`,
		"memory://hunter2":              "memory: takes nothing",
		"bolt:":                         "bolt:data/tocsin.db",
		"bolt://hunter2/x.db":           "bolt:data/tocsin.db",
		"redis:hunter2":                 "redis://USER:PASSWORD@HOST:PORT/DB",
		"rediss://u:p@host/?x=hunter2":  "no parameters",
	} {
		t.Run(url, func(t *testing.T) {
			s, err := Open(t.Context(), url)
			if err == nil || s != nil {
				t.Fatalf("got %v, %v, want an error", s, err)
			}
			if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %q, want %q in it and no secret", err, want)
			}
			if got := Check(url); got == nil || got.Error() != err.Error() {
				t.Errorf("got %v from Check, want %v as from Open", got, err)
			}
		})
	}
}

// A store that cannot be opened is nil, not an interface that holds a nil pointer.
func TestOpenFails(t *testing.T) {
	for name, url := range map[string]string{
		"bolt at a directory":    "bolt:" + t.TempDir(),
		"redis without a server": "redis://u:hunter2@127.0.0.1:1",
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), url)
			if err == nil || s != nil || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v, %v, want a nil Store and an error without the password", s, err)
			}
		})
	}
}
