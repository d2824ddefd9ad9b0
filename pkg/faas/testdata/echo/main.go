// Echo is a timer function for tests. It returns its event and environment;
// some timer names make it fail.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"tocsin/pkg/faas"
)

func main() { faas.ServeTimer(build) }

var builds int

// build returns an error while ECHO_CONFIG is "broken".
func build(context.Context) (faas.TimerHandler, error) {
	builds++
	if os.Getenv("ECHO_CONFIG") == "broken" {
		return nil, errors.New("tocsin.yaml:3: unknown key")
	}
	return echo, nil
}

func echo(ctx context.Context, e faas.TimerEvent) (any, error) {
	switch e.Name {
	case "panic":
		panic("secret-of-the-panic")
	case "fail":
		return nil, fmt.Errorf("polling: %w", errors.New("no route to host"))
	case "hang":
		<-ctx.Done()
		return nil, ctx.Err()
	case "stall":
		select {}
	}
	answer := map[string]any{
		"event":      e,
		"invocation": faas.FromContext(ctx),
		"builds":     builds,
		"expired":    ctx.Err() != nil,
	}
	if name, ok := strings.CutPrefix(e.Name, "env-"); ok {
		answer["env"] = os.Getenv(name)
	}
	if d, ok := ctx.Deadline(); ok {
		answer["deadline"] = d.UnixMilli()
	}
	return answer, nil
}
