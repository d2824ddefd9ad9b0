// Package faas connects functions to the platforms that run them, Tencent Cloud
// SCF and AWS Lambda: it receives their events and returns responses. A
// function is written once, against this package; the environment selects the
// platform's runtime at start.
//
// The build tags scf and lambda leave the other cloud's runtime out of a
// binary. Without a tag, both are included.
package faas

import (
	"context"
	"fmt"
	"os"
)

// ServeTimer runs a timer function on the platform that started this program.
// It does not return.
//
// build is called at the first event, because SCF sends the environment
// variables with each event, and because a function with an invalid
// configuration should respond with the error rather than fail to start. On
// Lambda it is called while the first event is still on its way. If it fails,
// it is called again at the next event. The handler must not keep the context
// given to build.
//
// The context of each event has the platform's deadline and the event's
// [Invocation]. A panic becomes an error response; its stack trace is only in
// the log.
//
// Logs are written to standard output as JSON, at least one line per event, at
// the level in TOCSIN_LOG_LEVEL (debug, info, warn, error; default info).
// ServeTimer makes this logger the default of log/slog. Lines logged with an
// event's context have its request_id.
//
// If no platform started the program, ServeTimer prints an error and exits with
// status 2.
func ServeTimer(build func(context.Context) (TimerHandler, error)) {
	serve(func(ctx context.Context) (handler, error) {
		t, err := build(ctx)
		if err != nil {
			return nil, err
		}
		return t.handle, nil
	})
}

// handler processes an event of the platform and returns a result, to be
// encoded as JSON.
type handler func(ctx context.Context, event []byte) (any, error)

func serve(build func(context.Context) (handler, error)) {
	run := selectRuntime(os.Getenv)
	if run == nil {
		fmt.Fprintln(os.Stderr, "this program is a function: deploy it to SCF or Lambda (docs/deploy.md), or run `tocsin serve` on a machine of your own")
		os.Exit(2)
	}
	in := newInstance(build, os.Stdout)
	in.logs.setDefault()
	err := run(in)
	fmt.Fprintln(os.Stderr, "the function's runtime stopped:", err)
	os.Exit(1)
}

// selectRuntime returns the runtime whose platform has set its environment
// variable; nil if none has. The order matters: a platform may also set the
// variables of later ones.
func selectRuntime(getenv func(string) string) func(*instance) error {
	for _, p := range []struct {
		variable string
		run      func(*instance) error
	}{
		{"AWS_LAMBDA_RUNTIME_API", serveLambda},
		{"SCF_RUNTIME_API", serveSCFCustom},
		{"_LAMBDA_SERVER_PORT", serveSCF},
	} {
		if getenv(p.variable) != "" {
			return p.run
		}
	}
	return nil
}

// Invocation is the data of the platform about one event.
type Invocation struct {
	// RequestID identifies the event. On Lambda, retries have the same id. It
	// is empty if the platform sends none.
	RequestID string
	// Function is the name of the deployed function.
	Function string
	// Cold is whether this is the first event of this instance.
	Cold bool
}

type invocationKey struct{}

// FromContext returns the Invocation of ctx, or the zero Invocation if it has
// none.
func FromContext(ctx context.Context) Invocation {
	inv, _ := ctx.Value(invocationKey{}).(Invocation)
	return inv
}
