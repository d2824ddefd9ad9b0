package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	// A plugin has as long as its interval, and no longer than longestRun.
	longestRun = time.Minute
	// pipeWait is how long output may still come when the plugin has ended but
	// somebody holds its output open.
	pipeWait = time.Second
	// maxOutput and maxComplaint bound what is read of a plugin's standard output
	// and standard error, in bytes.
	maxOutput, maxComplaint = 64 << 10, 512
)

// searchPath is where a plugin finds programs.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// executable returns the plugin that runs the executable of that name. Whether
// there is one is seen when it is run, so that it can be put there later.
func (p plugins) executable(s service) (plugin, error) {
	name := s.plugin
	switch {
	case p.dir == "":
		return plugin{}, fmt.Errorf("there is no plugin %q, and no directory of executables: give it with --plugins", name)
	case name == "" || len(name) > 255 || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00"):
		return plugin{}, fmt.Errorf("%q cannot be the name of a plugin: no slash, no dot at its beginning", name)
	}
	timeout := min(s.interval, longestRun)
	return plugin{collect: func(ctx context.Context, _ time.Time) (any, error) {
		output, err := runExecutable(ctx, p.dir, name, timeout)
		if err != nil {
			return nil, err
		}
		return parseOutput(output)
	}}, nil
}

// runExecutable runs a program, without arguments and with an almost empty
// environment, and returns what it printed. No process of its group outlives it.
func runExecutable(ctx context.Context, dir, name string, timeout time.Duration) ([]byte, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return nil, fmt.Errorf("%s is not an executable file: chmod +x makes it one", path)
	case info.Mode().Perm()&0o002 != 0:
		return nil, fmt.Errorf("%s can be changed by everybody: chmod o-w mends that", path)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stdout, stderr := &bounded{limit: maxOutput, full: cancel}, &bounded{limit: maxComplaint}
	cmd := exec.CommandContext(ctx, path)
	cmd.Dir, cmd.Env = dir, []string{searchPath, "LANG=C"}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, pipeWait
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	killGroup := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = killGroup
	err = cmd.Start()
	if err == nil {
		err = cmd.Wait()
		_ = killGroup() // what it left behind
	}
	switch {
	case stdout.over:
		return nil, fmt.Errorf("%s printed more than %d bytes", name, maxOutput)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%s was killed: it took longer than %s", name, timeout)
	case err != nil && len(stderr.text) > 0:
		return nil, fmt.Errorf("%s: %w: %s", name, err, strings.Join(strings.Fields(string(stderr.text)), " "))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return stdout.text, nil
}

// bounded keeps the first limit bytes that are written to it, and calls full when
// there are more.
type bounded struct {
	text  []byte
	limit int
	full  func()
	over  bool
}

func (b *bounded) Write(p []byte) (int, error) {
	room := b.limit - len(b.text)
	if len(p) > room && !b.over {
		b.over = true
		if b.full != nil {
			b.full()
		}
	}
	b.text = append(b.text, p[:min(len(p), room)]...)
	return len(p), nil
}
