package notifytest

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tocsin/pkg/alert"
)

var update = flag.Bool("update", false, "write the golden files; read them before you keep them")

// Scene is a notification, and what a channel must make of it.
type Scene struct {
	Name   string
	Alerts []*alert.Alert
	// Both must be in the message whatever its language, ZH and EN in that
	// language. They are worked out by hand.
	WantBoth, WantZH, WantEN []string
}

// Golden says every scene in both languages and compares what say returns, the
// message as its reader gets it, with the file testdata/NAME.LANGUAGE.KIND.
func Golden(t *testing.T, kind string, scenes []Scene, say func(t *testing.T, language string, s Scene) string) {
	for _, s := range scenes {
		for _, language := range []string{"zh", "en"} {
			name := s.Name + "." + language + "." + kind
			t.Run(name, func(t *testing.T) {
				got := say(t, language, s)
				CompareGolden(t, name, got+"\n")
				s.Check(t, language, got)
			})
		}
	}
}

// Check fails the test if got lacks any of what the scene wants in a language.
func (s Scene) Check(t *testing.T, language, got string) {
	t.Helper()
	own := s.WantZH
	if language == "en" {
		own = s.WantEN
	}
	for _, parts := range [][]string{s.WantBoth, own} {
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("lacks %q:\n%s", part, got)
			}
		}
	}
}

// Compare fails the test if got is not what the file testdata/NAME holds. With
// -update it writes the file.
func CompareGolden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s:\n%s", file, got)
	}
}
