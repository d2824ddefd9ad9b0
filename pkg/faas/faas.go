// Package faas is the edge to the platforms that run functions: it takes their
// events in and hands answers back, on Tencent Cloud SCF and on AWS Lambda. A
// function is written once, against this package; the environment decides at
// start which platform's runtime it speaks.
//
// The build tags scf and lambda leave the other cloud's runtime out of a binary.
// Without a tag both are in.
package faas

import (
	"context"
	"fmt"
	"os"
)

// ServeTimer runs a timer function on the platform that started this program.
// It does not return.
//
// The function is built at the first event: SCF delivers the environment with
// each event, and a function whose configuration is broken must answer with what
// is wrong rather than die at start. On Lambda it is built while that event is
// still on its way. A build that failed is tried again at the next event. What
// is built must not hold on to the context given to build.
//
// The context of each event carries the platform's deadline and the event's
// [Invocation]. A panic becomes an error answer, with the stack in the log only.
//
// Logs go to standard output as JSON, one line for each event at least, at the
// level in TOCSIN_LOG_LEVEL (debug, info, warn, error; default info). ServeTimer
// makes this logger the default of log/slog: a line logged with an event's
// context carries its request_id.
//
// When no platform started the program, it says so on standard error and exits
// with status 2.
func ServeTimer(build func(context.Context) (TimerHandler, error)) {
	serve(func(ctx context.Context) (handler, error) {
		t, err := build(ctx)
		if err != nil {
			return nil, err
		}
		return t.handle, nil
	})
}

// handler takes one event as the platform sent it, and returns what is to be
// answered as JSON.
type handler func(ctx context.Context, event []byte) (any, error)

func serve(build func(context.Context) (handler, error)) {
	run := pick(os.Getenv)
	if run == nil {
		fmt.Fprintln(os.Stderr, "this program is a function: deploy it to SCF or Lambda (docs/deploy.md), or run `tocsin serve` on a machine of your own")
		os.Exit(2)
	}
	in := newInstance(build, os.Stdout)
	in.logs.makeDefault()
	err := run(in)
	fmt.Fprintln(os.Stderr, "the function's runtime stopped:", err)
	os.Exit(1)
}

// pick chooses the runtime by the variable that its platform sets; nil when none
// is set. The order matters: a platform may set a later one's variable as well.
func pick(getenv func(string) string) func(*instance) error {
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
