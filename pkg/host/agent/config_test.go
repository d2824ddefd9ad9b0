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
		t.Errorf("%v, %v; want %v", services, err, want)
	}
	if len(faults) != 7 || !strings.Contains(faults[1].Error(), `"a" is left out`) || !strings.Contains(faults[2].Error(), "between 1s and 24h0m0s") {
		t.Errorf("faults %v", faults)
	}
	var many []string
	for i := range maxServices + 1 {
		many = append(many, fmt.Sprintf(`"s%d": ["cpu", 15]`, i))
	}
	for _, body := range []string{"", "null", "[]", "{}", `{"services": null}`, `{"services": []}`, "<html>", `{"services": {` + strings.Join(many, ",") + "}}"} {
		if services, _, err := parseServices([]byte(body)); err == nil {
			t.Errorf("%.40s: %v, want an error", body, services)
		}
	}
	if services, faults, err := parseServices([]byte(`{"services": {}}`)); len(services)+len(faults) > 0 || err != nil {
		t.Errorf("nothing to collect: %v, %v, %v", services, faults, err)
	}
}

// The configuration outlives a restart, but not a change of server or host, nor
// damage.
func TestSavedConfig(t *testing.T) {
	dir := t.TempDir()
	log, l := newLog()
	if c := loadConfig(dir, "https://a/agents/1", log); c.Body != nil || l.String() != "" {
		t.Errorf("of nothing: %+v, %s", c, l)
	}
	saved := savedConfig{Address: "https://a/agents/1", ETag: `"7"`, Body: []byte(`{"services":{"LinuxCPU":["cpu",15]}}`)}
	for range 2 { // the second takes the place of the first
		if err := saved.save(dir); err != nil {
			t.Fatal(err)
		}
	}
	if c := loadConfig(dir, saved.Address, log); !reflect.DeepEqual(c, saved) {
		t.Errorf("%+v, want %+v", c, saved)
	}
	if c := loadConfig(dir, "https://a/agents/2", log); c.Body != nil || c.ETag != "" {
		t.Errorf("another host's: %+v", c)
	}
	files, _ := os.ReadDir(dir)
	if info, err := files[0].Info(); len(files) != 1 || err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("files %v", files)
	}
	text, _ := os.ReadFile(filepath.Join(dir, configFile))
	for n := range len(text) {
		if err := os.WriteFile(filepath.Join(dir, configFile), text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if c := loadConfig(dir, saved.Address, log); c.Body != nil || c.ETag != "" {
			t.Fatalf("cut at %d: %+v", n, c)
		}
	}
	if l.has("cannot be read") != len(text) {
		t.Errorf("the log:\n%s", l)
	}
}
