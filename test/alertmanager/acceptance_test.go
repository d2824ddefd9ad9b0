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

// TestAcceptance runs Alertmanager's own acceptance suites against `tocsin serve`, on
// a bolt file and on a shared Redis, which its cluster tests need.
func TestAcceptance(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, nil, "go", "build", "-C", "../..", "-o", dir+"/tocsin", "./cmd/tocsin")
	run(t, dir, nil, "go", "build", "-o", dir+"/alertmanager", "./shim")
	// amtool compares its version with the server's.
	run(t, dir, nil, "go", "build", "-ldflags", "-X github.com/prometheus/common/version.Version=0.34.2", "-o", dir+"/amtool", upstreamModule+"/cmd/amtool")
	run(t, dir, nil, "go", "test", "-c", "-o", dir+"/api.test", upstreamModule+"/test/with_api_v2/acceptance")
	run(t, dir, nil, "go", "test", "-c", "-o", dir+"/cli.test", upstreamModule+"/test/cli/acceptance")
	// The suites look for the server three directories up.
	work := filepath.Join(dir, "a", "b", "c")
	if err := os.MkdirAll(work, 0o700); err != nil {
		t.Fatal(err)
	}
	server := redistest.Start(t, "--databases", "1000", "--appendonly", "no")
	redis := []string{"SHIM_REDIS=" + server.Addr, "SHIM_STATE=" + t.TempDir()} // for the shim
	for _, test := range []struct {
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
		t.Run(test.name, func(t *testing.T) {
			// The tests of a suite wait most of the time.
			out := run(t, work, test.env, filepath.Join(dir, test.suite), "-test.v", "-test.parallel", "27", "-test.timeout", "4m", "-test.skip", test.skip)
			if n := strings.Count("\n"+out, "\n--- PASS: "); n != test.tests || strings.Contains(out, "--- SKIP") {
				t.Errorf("got %d passed tests, want %d and none skipped\n%s", n, test.tests, out)
			}
		})
	}
}

// run runs a command and returns its output. go runs in this directory, any other
// command in dir. A failure fails the test.
func run(t *testing.T, dir string, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Env = append(os.Environ(), env...)
	if name != "go" {
		cmd.Dir = dir
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: got %v, want success\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return string(out)
}
