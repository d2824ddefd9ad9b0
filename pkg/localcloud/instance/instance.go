// Package instance is what the emulated platforms share: one running instance of
// a function as a process, and the desk at which an instance that polls gets its
// events and hands in its answers.
package instance

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"
)

// Instance is a running process.
type Instance struct {
	cmd    *exec.Cmd
	output *output
	done   chan struct{}
	err    error // how it ended; read after done
}

// Start runs binary in dir with env as its whole environment: nothing of this
// process's leaks into it. What it writes to standard output and error is kept,
// and copied to log unless that is nil.
func Start(binary, dir string, env map[string]string, log io.Writer) (*Instance, error) {
	i := &Instance{
		cmd:    exec.Command(binary),
		output: &output{copy: log},
		done:   make(chan struct{}),
	}
	i.cmd.Dir = dir
	i.cmd.Env = make([]string, 0, len(env)) // nil would mean this process's
	for _, k := range slices.Sorted(maps.Keys(env)) {
		i.cmd.Env = append(i.cmd.Env, k+"="+env[k])
	}
	i.cmd.Stdout, i.cmd.Stderr = i.output, i.output
	i.cmd.WaitDelay = time.Second // for children that hold on to the output
	if err := i.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the function: %w", err)
	}
	go func() {
		i.err = i.cmd.Wait()
		close(i.done)
	}()
	return i, nil
}

// Done is closed when the process has ended.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Ended waits for the process to end and returns an error that tells how, with
// the last it wrote.
func (i *Instance) Wait() error {
	<-i.done
	how := "exit status 0"
	if i.err != nil {
		how = i.err.Error()
	}
	return errors.New(strings.TrimSpace("the function's process ended: " + how + "\n" + i.output.tail()))
}

// Output returns what the process wrote, up to the last 64 KiB. It is complete
// after Close.
func (i *Instance) Output() string { return i.output.tail() }

// Close kills the process and waits for its end.
func (i *Instance) Close() {
	_ = i.cmd.Process.Kill() // fails when it has ended already
	<-i.done
}

// PeakMemory returns the most memory that the process has held so far, in
// bytes. It is not known on systems other than Linux, nor once the process has
// ended: what its parent is told then (ru_maxrss) is at least the parent's own.
func (i *Instance) PeakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the peak memory of the function: %w", err)
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscan(text, &kilobytes); err != nil {
		return 0, errors.New("the function's process has ended: its peak memory is not known any more")
	}
	return kilobytes << 10, nil
}

const outputKept = 64 << 10

// output keeps the last of what is written to it.
type output struct {
	mu   sync.Mutex
	kept []byte
	copy io.Writer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, p...)
	if over := len(o.kept) - outputKept; over > 0 {
		o.kept = slices.Delete(o.kept, 0, over)
	}
	if o.copy != nil {
		return o.copy.Write(p)
	}
	return len(p), nil
}

func (o *output) tail() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return string(o.kept)
}
