// Package scf is Tencent Cloud SCF on one machine: it starts a built function
// and sends it events over the wires that SCF uses, for the runtimes Go1 and
// CustomRuntime. HTTP reaches the function through a function URL or an API
// gateway.
//
// It is as strict as the platform, and where the documentation leaves a choice,
// stricter: a Go1 function's own environment variables come with each event only,
// and an event that outlives its deadline costs the process its life.
package scf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// Options say how a function is deployed.
type Options struct {
	// Binary is the path of the built function.
	Binary string
	// Dir is the directory that the code was unpacked to; default the binary's.
	Dir string
	// Name is the function's name; default "function".
	Name string
	// Env holds the environment variables of the function's configuration.
	Env map[string]string
	// Timeout is the function's time limit; default 60 s.
	Timeout time.Duration
	// Log receives a copy of what the function writes; default nobody.
	Log io.Writer
}

// InvokeOptions says how one event is sent.
type InvokeOptions struct {
	// RequestID is the platform's name for the event; default "request-1" and so on.
	RequestID string
	// Deadline is when the function is killed; default after Options.Timeout.
	// The Unix epoch sends no deadline at all.
	Deadline time.Time
	// Environment is added to the variables that come with this event: how SCF
	// hands over the run role's temporary keys. Go1 only.
	Environment map[string]string
}

// Error is what the function answered instead of a result.
type Error struct {
	Type    string
	Message string
	// Stack tells that the answer carried a stack trace.
	HasStack bool
	// ShouldExit is the runtime's wish to be replaced.
	ShouldExit bool
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

// ErrTimeout is the outcome of an event that was not answered by its deadline.
var ErrTimeout = errors.New("the event was not answered by its deadline")

// deployment is Options with the defaults filled in, and what both runtimes have
// in common.
type deployment struct {
	Options
	count atomic.Int64

	invoking sync.Mutex // of the event that the function has from a front

	mu       sync.Mutex
	triggers []*httptest.Server
}

func newDeployment(o Options) *deployment {
	o.Dir = cmp.Or(o.Dir, filepath.Dir(o.Binary))
	o.Name = cmp.Or(o.Name, "function")
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	return &deployment{Options: o}
}

// event fills in what in leaves open. The context ends at the deadline with
// ErrTimeout as its cause.
func (d *deployment) withDefaults(ctx context.Context, in InvokeOptions) (context.Context, context.CancelFunc, InvokeOptions) {
	in.RequestID = cmp.Or(in.RequestID, fmt.Sprintf("request-%d", d.count.Add(1)))
	end := time.Now().Add(d.Timeout)
	if in.Deadline.IsZero() {
		in.Deadline = end
	} else if in.Deadline.Unix() > 0 {
		end = in.Deadline
	}
	ctx, cancel := context.WithDeadlineCause(ctx, end, ErrTimeout)
	return ctx, cancel, in
}

// builtin are the variables that SCF itself sets (document/product/583/14570,
// 583/32748).
func (d *deployment) builtinEnv() map[string]string {
	return map[string]string{
		"TENCENTCLOUD_RUNENV": "SCF",
		"TENCENTCLOUD_REGION": "ap-guangzhou",
		"TENCENTCLOUD_APPID":  "1250000000",
		"TENCENTCLOUD_TZ":     "UTC",
		"TZ":                  "UTC",
		"USER_CODE_ROOT":      "/var/user/",
		"SCF_FUNCTIONNAME":    d.Name,
		"SCF_FUNCTIONVERSION": "$LATEST",
		"SCF_NAMESPACE":       "default",
		"TRIGGER_SRC":         "timer",
		"PATH":                "/usr/bin:/bin",
	}
}

// with returns a map that holds all of these, later ones winning.
func mergeMaps(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}
