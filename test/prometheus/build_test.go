package prometheus

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// Pin the versions in go.mod: the programs are built with the requirements of their
	// own go.mod, which this one need not repeat.
	_ "github.com/prometheus/alertmanager/featurecontrol"
	_ "github.com/prometheus/prometheus/util/junitxml"
)

const (
	module   = "github.com/prometheus/prometheus"
	examples = "../../examples/prometheus/"
)

// bin is the directory of the programs promtool, prometheus and tocsin.
var bin string

func TestMain(m *testing.M) {
	status, err := withPrograms(m.Run)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		status = 1
	}
	os.Exit(status)
}

// withPrograms builds the programs, calls run and removes them.
func withPrograms(run func() int) (status int, err error) {
	if bin, err = os.MkdirTemp("", "prometheus"); err != nil {
		return 0, err
	}
	defer os.RemoveAll(bin)
	source, err := goTool("list", "-m", "-f", "{{.Dir}}", module)
	if err != nil {
		return 0, err
	}
	// Without service discovery, which is not used here and is most of its size.
	for _, program := range []string{"promtool", "prometheus"} {
		if _, err := goTool("build", "-C", strings.TrimSpace(source), "-tags", "remove_all_sd", "-ldflags", "-s -w", "-o", filepath.Join(bin, program), "./cmd/"+program); err != nil {
			return 0, err
		}
	}
	if _, err := goTool("build", "-C", "../..", "-o", filepath.Join(bin, "tocsin"), "./cmd/tocsin"); err != nil {
		return 0, err
	}
	return run(), nil
}

// goTool runs go without the settings that the environment has for this module.
func goTool(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(cmd.Args, " "), err)
	}
	return string(out), nil
}
