// Package instance is shared by the emulated platforms: it runs an instance of a
// function as a process, and passes events to instances that poll.
package instance

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Options configure the deployment of a function.
type Options struct {
	// Binary is the path of the built function.
	Binary string
	// Dir is the working directory, by default that of the binary.
	Dir string
	// Name is the name of the function, by default "function".
	Name string
	// Env has the environment variables of the function's configuration.
	Env map[string]string
	// Timeout is the time limit of an event, by default 60 s.
	Timeout time.Duration
	// Log, if set, receives a copy of the function's output.
	Log io.Writer
}

// WithDefaults returns o with the defaults set.
func (o Options) WithDefaults() Options {
	o.Dir = cmp.Or(o.Dir, filepath.Dir(o.Binary))
	o.Name = cmp.Or(o.Name, "function")
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	return o
}

// Instance is a running process.
type Instance struct {
	cmd    *exec.Cmd
	output *output
	done   chan struct{}
	err    error // of the process; read after done
}

// Start runs a function with env as its whole environment: neither that of this process
// nor o.Env is added. The output is kept, and copied to o.Log.
func Start(o Options, env map[string]string) (*Instance, error) {
	i := &Instance{
		cmd:    exec.Command(o.Binary),
		output: &output{copy: o.Log},
		done:   make(chan struct{}),
	}
	i.cmd.Dir = o.Dir
	i.cmd.Env = make([]string, 0, len(env)) // nil would be this process's environment
	for _, k := range slices.Sorted(maps.Keys(env)) {
		i.cmd.Env = append(i.cmd.Env, k+"="+env[k])
	}
	i.cmd.Stdout, i.cmd.Stderr = i.output, i.output
	i.cmd.WaitDelay = time.Second // children may keep the output open
	if err := i.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the function: %w", err)
	}
	go func() {
		i.err = i.cmd.Wait()
		close(i.done)
	}()
	return i, nil
}

// Done is closed when the process has ended.
func (i *Instance) Done() <-chan struct{} { return i.done }

// Wait waits for the end of the process. It always returns an error, with the exit status
// and the end of the output.
func (i *Instance) Wait() error {
	<-i.done
	status := "exit status 0"
	if i.err != nil {
		status = i.err.Error()
	}
	return errors.New(strings.TrimSpace("the function's process ended: " + status + "\n" + i.output.tail()))
}

// Output returns the last 64 KiB of the output. It is complete after Close.
func (i *Instance) Output() string { return i.output.tail() }

// Close kills the process and waits for its end.
func (i *Instance) Close() {
	_ = i.cmd.Process.Kill() // an error means that it has ended already
	<-i.done
}

// PeakMemory returns the peak resident memory of the process so far, in bytes. It returns
// an error after the process has ended, and on systems other than Linux. The ru_maxrss of
// an ended process is no substitute, because it counts the memory of the parent before
// exec.
func (i *Instance) PeakMemory() (int64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", i.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("read the peak memory of the function: %w", err)
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	var kilobytes int64
	if _, err := fmt.Sscan(text, &kilobytes); err != nil {
		return 0, errors.New("the function's process has ended: its peak memory is not known any more")
	}
	return kilobytes << 10, nil
}

const maxOutput = 64 << 10

// output keeps the last maxOutput bytes that are written to it.
type output struct {
	mu   sync.Mutex
	kept []byte
	copy io.Writer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.kept = append(o.kept, p...)
	if excess := len(o.kept) - maxOutput; excess > 0 {
		o.kept = slices.Delete(o.kept, 0, excess)
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
