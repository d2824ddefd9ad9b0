package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"tocsin/pkg/config"
)

// lookupIn returns a Lookup of the variables in env.
func lookupIn(env map[string]string) config.Lookup {
	return func(name string) (string, bool) {
		v, ok := env[name]
		return v, ok
	}
}

// TestBadConfigurations checks the files in testdata/bad, whose comments have the expected
// problems of their line: "# want:" an error, "# warn:" a warning.
func TestBadConfigurations(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no files in testdata/bad, %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			faults, warnings := wantedProblems(t, path)
			c, got, err := config.Check(path, lookupIn(map[string]string{"PASSWORD": "hunter2-hunter2"}))
			if c != nil {
				t.Error("got a Config with the error, want nil")
			}
			var lines []string
			for _, w := range got {
				lines = append(lines, w.String())
			}
			wantLines(t, "warnings", lines, warnings)
			if err == nil {
				t.Fatal("got no error, want one")
			}
			wantLines(t, "faults", strings.Split(err.Error(), "\n"), faults)
		})
	}
}

// TestWarnings checks the files in testdata/warn, which load with the warnings that the
// comments have.
func TestWarnings(t *testing.T) {
	files, err := filepath.Glob("testdata/warn/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got no files in testdata/warn, %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".yaml"), func(t *testing.T) {
			_, want := wantedProblems(t, path)
			_, got, err := config.Check(path, lookupIn(nil))
			if err != nil {
				t.Fatalf("got error %v, want none", err)
			}
			var lines []string
			for _, w := range got {
				lines = append(lines, w.String())
			}
			wantLines(t, "warnings", lines, want)
		})
	}
}

func wantLines(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\ngot  %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

// wantedProblems returns the problems that the comments of a file expect.
func wantedProblems(t *testing.T, path string) (faults, warnings []string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		place := path + ":" + strconv.Itoa(i+1) + ": "
		for _, comment := range strings.Split(line, "# ")[1:] {
			if m, ok := strings.CutPrefix(comment, "want: "); ok {
				faults = append(faults, place+strings.TrimSpace(m))
			}
			if m, ok := strings.CutPrefix(comment, "warn: "); ok {
				warnings = append(warnings, place+strings.TrimSpace(m))
			}
		}
	}
	return faults, warnings
}
