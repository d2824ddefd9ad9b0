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
		if err := Check(url); err != nil {
			t.Errorf("Check(%q): %v", url, err)
		}
		if _, err := os.Stat(path); err == nil {
			t.Fatal("Check made the file")
		}
		s, err := Open(t.Context(), url)
		if err != nil {
			t.Fatalf("Open(%q): %v", url, err)
		}
		if items, err := s.Get(t.Context(), "a/1"); err != nil || len(items) != 1 {
			t.Errorf("%s: Get: %v, %v", url, items, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("bolt is not where it was told to be: %v", err)
	}
}

func TestOpenWrong(t *testing.T) {
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
		s, err := Open(t.Context(), url)
		if err == nil || s != nil {
			t.Errorf("Open(%q): %v, %v", url, s, err)
			continue
		}
		if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q): %q, want %q in it and no secret", url, err, want)
		}
		if got := Check(url); got == nil || got.Error() != err.Error() {
			t.Errorf("Check(%q): %v, but Open: %v", url, got, err)
		}
	}
	// A store that cannot be opened is nil, not a nil pointer in an interface.
	for _, url := range []string{"bolt:" + t.TempDir(), "redis://u:hunter2@127.0.0.1:1"} {
		s, err := Open(t.Context(), url)
		if err == nil || s != nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Open(%q): %v, %v", url, s, err)
		}
	}
}
