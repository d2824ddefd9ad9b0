package alertmanager

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// Packages that the suites import.
	_ "github.com/prometheus/alertmanager/test/cli"
	_ "github.com/prometheus/alertmanager/test/with_api_v2"

	"tocsin/pkg/store/redis/redistest"
)

const upstreamModule = "github.com/prometheus/alertmanager"

// Alertmanager's own acceptance suites pass against `tocsin serve`, on a file and
// on a shared Redis; its clustered tests need the latter.
func TestAcceptance(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, nil, "go", "build", "-C", "../..", "-o", dir+"/tocsin", "./cmd/tocsin")
	run(t, dir, nil, "go", "build", "-o", dir+"/alertmanager", "./shim")
	// amtool compares its version with the server's.
	run(t, dir, nil, "go", "build", "-ldflags", "-X github.com/prometheus/common/version.Version=0.34.2", "-o", dir+"/amtool", upstreamModule+"/cmd/amtool")
	run(t, dir, nil, "go", "test", "-c", "-o", dir+"/api.test", upstreamModule+"/test/with_api_v2/acceptance")
	run(t, dir, nil, "go", "test", "-c", "-o", dir+"/cli.test", upstreamModule+"/test/cli/acceptance")
	// The suites look for the server three folders up.
	work := filepath.Join(dir, "a", "b", "c")
	if err := os.MkdirAll(work, 0o700); err != nil {
		t.Fatal(err)
	}
	server := redistest.Start(t, "--databases", "1000", "--appendonly", "no")
	redis := []string{"SHIM_REDIS=" + server.Addr, "SHIM_STATE=" + t.TempDir()} // tells the shim to use it
	for _, c := range []struct {
		name, suite string
		env         []string
		skip        string
		tests       int
	}{
		{"API on Redis", "api.test", redis, "^$", 27},
		{"API on bolt", "api.test", nil, "^TestCluster", 25},
		{"amtool on Redis", "cli.test", redis, "^$", 10},
		{"amtool on bolt", "cli.test", nil, "^$", 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			// The suites wait for most of their time.
			out := run(t, work, c.env, filepath.Join(dir, c.suite), "-test.v", "-test.parallel", "27", "-test.timeout", "4m", "-test.skip", c.skip)
			if n := strings.Count("\n"+out, "\n--- PASS: "); n != c.tests || strings.Contains(out, "--- SKIP") {
				t.Errorf("%d tests passed, want %d\n%s", n, c.tests, out)
			}
		})
	}
}

// run runs a command: in this folder if it is go, else in dir.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	if name != "go" {
		cmd.Dir = dir
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}
