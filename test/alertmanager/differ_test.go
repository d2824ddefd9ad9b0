package alertmanager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What Tocsin means to do otherwise stands in testdata/differ, a scenario for
// each with the reason and with what either says where they part. It differs in
// both modes, or only where Tocsin's Config.Upstream is off.
func TestDiffer(t *testing.T) {
	files, err := filepath.Glob("testdata/differ/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.Split(string(b), "---\n")
			if len(parts) != 3 {
				t.Fatalf("%d parts, want the configuration, the steps and the difference", len(parts))
			}
			s, err := parseScenario(parts[0] + "---\n" + parts[1])
			if err != nil {
				t.Fatal(err)
			}
			got := s.differs(t, true)
			if got == "" {
				got = s.differs(t, false)
			}
			if got += "\n"; got != parts[2] {
				t.Errorf("the difference is\n%s\nwant\n%s", got, parts[2])
			}
		})
	}
}
