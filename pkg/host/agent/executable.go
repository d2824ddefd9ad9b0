package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// maxRunTime bounds a plugin whose interval is longer.
	maxRunTime = time.Minute
	// pipeTimeout is how long output is read after the plugin has ended, if another
	// process still has the pipe open.
	pipeTimeout = time.Second
	// maxStdout and maxStderr bound a plugin's output, in bytes.
	maxStdout, maxStderr = 64 << 10, 512
)

// searchPath is the plugins' PATH.
const searchPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// executable returns the plugin that runs the executable of that name. The file is
// looked up at each run, so that it can be installed later.
func (p plugins) executable(s service) (plugin, error) {
	name := s.plugin
	switch {
	case p.dir == "":
		return plugin{}, fmt.Errorf("plugin %q is not built in, and there is no directory of executables: give it with --plugins", name)
	case name == "" || len(name) > 255 || strings.HasPrefix(name, ".") || strings.ContainsAny(name, "/\x00"):
		return plugin{}, fmt.Errorf("%q cannot be the name of a plugin: it must have no slash, and no dot at its beginning", name)
	}
	timeout := min(s.interval, maxRunTime)
	return plugin{collect: func(ctx context.Context, _ time.Time) (any, error) {
		output, err := runExecutable(ctx, p.dir, name, timeout)
		if err != nil {
			return nil, err
		}
		return parseOutput(output)
	}}, nil
}

// runExecutable runs a program without arguments and returns its standard output. Its
// environment has only PATH, LANG and the mark of the run. When it ends, all processes
// that it has started are killed.
func runExecutable(ctx context.Context, dir, name string, timeout time.Duration) ([]byte, error) {
	path := filepath.Join(dir, name)
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return nil, fmt.Errorf("%s is not an executable file: make it one with chmod +x", path)
	case info.Mode().Perm()&0o002 != 0:
		return nil, fmt.Errorf("%s can be changed by every user: correct it with chmod o-w", path)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	stdout, stderr := &limitedBuffer{limit: maxStdout, full: cancel}, &limitedBuffer{limit: maxStderr}
	cmd := exec.CommandContext(ctx, path)
	cmd.Dir, cmd.Env = dir, []string{searchPath, "LANG=C"}
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = stdout, stderr, pipeTimeout
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	killGroup := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel = killGroup
	mark, err := startMarked(cmd)
	if err == nil {
		err = cmd.Wait()
		_ = killGroup() // its children
		killOrphans(cmd.Process.Pid, mark)
	}
	switch {
	case stdout.exceeded:
		return nil, fmt.Errorf("%s printed more than %d bytes", name, maxStdout)
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return nil, fmt.Errorf("%s was killed: it took longer than %s", name, timeout)
	case err != nil && len(stderr.text) > 0:
		return nil, fmt.Errorf("%s: %w: %s", name, err, strings.Join(strings.Fields(string(stderr.text)), " "))
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return stdout.text, nil
}

// limitedBuffer keeps the first limit bytes that are written to it, and calls full
// when there are more.
type limitedBuffer struct {
	text     []byte
	limit    int
	full     func()
	exceeded bool
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	room := b.limit - len(b.text)
	if len(p) > room && !b.exceeded {
		b.exceeded = true
		if b.full != nil {
			b.full()
		}
	}
	b.text = append(b.text, p[:min(len(p), room)]...)
	return len(p), nil
}

// parseOutput parses the output of an executable: a JSON object, or lines of
// key=value. Blank lines and lines that begin with # are skipped, and values that
// are numbers, true or false are decoded.
func parseOutput(output []byte) (map[string]any, error) {
	output = bytes.TrimSpace(output)
	if len(output) == 0 {
		return nil, errors.New("it printed nothing: print a JSON object, or lines of key=value")
	}
	if output[0] == '{' {
		return parseObject(output)
	}
	data := map[string]any{}
	n := 0
	for line := range strings.Lines(strings.ToValidUTF8(string(output), "\uFFFD")) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, found := strings.Cut(line, "=")
		key = strings.TrimSpace(key)
		if _, duplicate := data[key]; !found || !isKey(key) || duplicate {
			return nil, fmt.Errorf("line %d of its output is not key=value, where the key consists of letters, digits, _ and - and is unique; print a JSON object for other data", n)
		}
		data[key] = parseValue(strings.TrimSpace(value))
	}
	if len(data) == 0 {
		return nil, errors.New("it printed nothing but comments")
	}
	return data, nil
}

func parseObject(output []byte) (map[string]any, error) {
	var data map[string]any
	d := json.NewDecoder(bytes.NewReader(output))
	d.UseNumber() // large numbers keep their digits
	if err := d.Decode(&data); err != nil {
		return nil, fmt.Errorf("its output begins like JSON but is not valid: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("it printed more than one JSON object")
	}
	return data, nil
}

func isKey(s string) bool {
	for _, r := range s {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return false
		}
	}
	return s != ""
}

func parseValue(s string) any {
	switch s {
	case "true":
		return true
	case "false":
		return false
	}
	// ParseFloat accepts more than decimal numbers: 0x1p4, 1_000, inf, nan.
	if strings.Trim(s, "0123456789+-.eE") != "" {
		return s
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(v, 0) {
		return s
	}
	if json.Valid([]byte(s)) {
		return json.Number(s)
	}
	return v
}
