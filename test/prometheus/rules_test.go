package prometheus

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// promtool accepts the rules without lint, and each fires and resolves as testdata
// expects.
func TestRules(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	run(t, nil, "promtool", "check", "rules", "--lint=all", "--lint-fatal", examples+"rules.yml")
	run(t, nil, "promtool", append([]string{"test", "rules"}, files...)...)

	// promtool ignores rules that no test file names.
	var tests []byte
	for _, file := range files {
		tests = append(tests, read(t, file)...)
	}
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllSubmatch(read(t, examples+"rules.yml"), -1) {
		for _, want := range []string{`alertname: ` + string(m[1]) + `\n +exp_alerts:`, `alertname: ` + string(m[1]) + `}`} {
			if !regexp.MustCompile(want).Match(tests) {
				t.Errorf("%s: got nothing in testdata that matches %q, want a test of when it fires and when not", m[1], want)
			}
		}
	}
}

// The example configurations are valid with the files that they name.
func TestConfigurations(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"prometheus.yml", "rules.yml"} {
		write(t, dir, name, string(read(t, examples+name)))
	}
	write(t, dir, "tocsin.token", "token")
	run(t, nil, "promtool", "check", "config", "--lint=all", "--lint-fatal", filepath.Join(dir, "prometheus.yml"))
	run(t, []string{"HOOK_TOKEN=token", "WECOM_KEY=key"}, "tocsin", "check-config", examples+"tocsin.yaml")
}

// run runs one of the programs until it exits.
func run(t *testing.T, env []string, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, program), args...)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s %s: got error %v, want none\n%s", program, args[0], err, out)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// write writes a file and returns its path.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
