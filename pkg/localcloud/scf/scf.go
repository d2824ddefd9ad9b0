// Package scf emulates Tencent Cloud SCF on one machine. It starts a built
// function and sends it events over the interfaces of the runtimes Go1 and
// CustomRuntime. HTTP requests reach the function through a function URL or an
// API gateway.
//
// It is as strict as the platform, and stricter where the documentation leaves
// a choice: a Go1 function gets its configured environment variables only with
// each event, and its process is killed when an event exceeds its deadline.
package scf

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"tocsin/pkg/localcloud/instance"
)

// Options configure the deployment of a function.
type Options = instance.Options

// InvokeOptions configure the invocation for one event.
type InvokeOptions struct {
	// RequestID identifies the event, by default "request-1" and so on.
	RequestID string
	// Deadline is when the function is killed, by default after
	// Options.Timeout. With the Unix epoch, no deadline is sent.
	Deadline time.Time
	// Environment is added to the environment variables that are sent with
	// this event, as SCF does with the temporary credentials of the function's
	// role. Go1 only.
	Environment map[string]string
}

// Error is the error that the function returned.
type Error struct {
	Type    string
	Message string
	// HasStack is whether it came with a stack trace.
	HasStack bool
	// ShouldExit is whether the runtime asks to be replaced.
	ShouldExit bool
}

func (e *Error) Error() string { return e.Type + ": " + e.Message }

// ErrTimeout is returned for an event without a response by its deadline.
var ErrTimeout = errors.New("the function did not respond by the deadline")

// deployment is the common part of both runtimes: Options with defaults, and
// HTTP triggers.
type deployment struct {
	Options
	count atomic.Int64

	triggers instance.Triggers
	invoking sync.Mutex // held while an event from a trigger is processed
}

func newDeployment(o Options) *deployment {
	return &deployment{Options: o.WithDefaults()}
}

// withDefaults returns in with defaults, and a context that ends at the
// deadline with ErrTimeout as its cause.
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

// builtinEnv returns the variables that SCF sets (document/product/583/14570,
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

// mergeMaps returns a map with all entries; later ones take precedence.
func mergeMaps(all ...map[string]string) map[string]string {
	out := map[string]string{}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}
