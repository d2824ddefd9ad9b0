package agent

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseServices(t *testing.T) {
	body := `{"services": {"LinuxMemory": ["memory", 60], "LinuxCPU": ["cpu", 15], "Half": ["cpu", 1.5],
		"a": ["cpu"], "b": ["cpu", 0], "c": ["cpu", "15"], "d": {"plugin": "cpu"}, "e": ["cpu", 86401], "f": ["cpu", 15, 1], "": ["cpu", 15]}, "later": 1}`
	services, faults, err := parseServices([]byte(body))
	want := []service{{"Half", "cpu", 1500 * time.Millisecond}, {"LinuxCPU", "cpu", 15 * time.Second}, {"LinuxMemory", "memory", time.Minute}}
	if err != nil || !reflect.DeepEqual(services, want) {
		t.Errorf("got services %v, %v, want %v", services, err, want)
	}
	if len(faults) != 7 || !strings.Contains(faults[1].Error(), `"a" is left out`) || !strings.Contains(faults[2].Error(), "between 1s and 24h0m0s") {
		t.Errorf("got faults %v, want 7, of a and b among them", faults)
	}
	if services, faults, err := parseServices([]byte(`{"services": {}}`)); len(services)+len(faults) > 0 || err != nil {
		t.Errorf("no services: got %v, %v, %v, want nothing", services, faults, err)
	}

	var many []string
	for i := range maxServices + 1 {
		many = append(many, fmt.Sprintf(`"s%d": ["cpu", 15]`, i))
	}
	for name, body := range map[string]string{
		"empty":             "",
		"null":              "null",
		"a list":            "[]",
		"no services":       "{}",
		"null services":     `{"services": null}`,
		"a list of them":    `{"services": []}`,
		"HTML":              "<html>",
		"too many services": `{"services": {` + strings.Join(many, ",") + "}}",
	} {
		t.Run(name, func(t *testing.T) {
			if services, _, err := parseServices([]byte(body)); err == nil {
				t.Errorf("got services %v, want an error", services)
			}
		})
	}
}

// The saved configuration survives a restart, but neither a change of server or
// host nor damage.
func TestSavedConfig(t *testing.T) {
	dir := t.TempDir()
	log, l := newTestLog()
	load := func(address string) savedConfig { return loadConfig(dir, address, log) }
	if c := load("https://a/agents/1"); c.Body != nil || l.String() != "" {
		t.Errorf("without a file: got %+v and log %s, want nothing", c, l)
	}
	saved := savedConfig{Address: "https://a/agents/1", ETag: `"7"`, Body: []byte(`{"services":{"LinuxCPU":["cpu",15]}}`)}
	for range 2 { // the second one replaces the first
		if err := saved.save(dir); err != nil {
			t.Fatal(err)
		}
	}
	if c := load(saved.Address); !reflect.DeepEqual(c, saved) {
		t.Errorf("got %+v, want %+v", c, saved)
	}
	if c := load("https://a/agents/2"); c.Body != nil || c.ETag != "" {
		t.Errorf("of another host: got %+v, want nothing", c)
	}
	files, _ := os.ReadDir(dir)
	if info, err := files[0].Info(); len(files) != 1 || err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got files %v, want one with mode 0600", files)
	}
	text, _ := os.ReadFile(filepath.Join(dir, configFile))
	for n := range len(text) {
		if err := os.WriteFile(filepath.Join(dir, configFile), text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if c := load(saved.Address); c.Body != nil || c.ETag != "" {
			t.Fatalf("cut at %d: got %+v, want nothing", n, c)
		}
	}
	if n := l.count("saved configuration cannot be read"); n != len(text) {
		t.Errorf("got %d log lines about damage, want %d:\n%s", n, len(text), l)
	}
}
