package scf

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/rpc"
	"strconv"
	"time"

	"tocsin/pkg/localcloud/instance"
)

// Go1 is an instance of the runtime Go1: the function listens, and the platform
// calls it by net/rpc with gob.
type Go1 struct {
	*deployment
	instance *instance.Instance
	client   *rpc.Client
}

// The messages of the wire. gob matches fields by name.
type (
	pingRequest   struct{}
	pingResponse  struct{}
	invokeRequest struct {
		Payload               []byte
		RequestId             string
		Deadline              timestamp
		InvokedFunctionUnique string
		Namespace             string
		FunctionName          string
		FunctionVersion       string
		MemoryLimitInMb       int32
		TimeLimitInMs         int32
		Environment           string
		TencentcloudRegion    string
		TencentcloudAppID     string
	}
	timestamp      struct{ Seconds, Nanos int64 }
	invokeResponse struct {
		Payload []byte
		Error   *invokeError
	}
	invokeError struct {
		Message    string
		Type       string
		StackTrace []*stackFrame
		ShouldExit bool
	}
	stackFrame struct {
		Path  string
		Line  int32
		Label string
	}
)

// StartGo1 starts the function and returns once it answers a ping. ctx bounds the
// start only.
func StartGo1(ctx context.Context, o Options) (*Go1, error) {
	d := newDeployment(o)
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	env := mergeMaps(d.builtinEnv(), map[string]string{"_LAMBDA_SERVER_PORT": port, "_SCF_SERVER_PORT": port})
	in, err := instance.Start(d.Binary, d.Dir, env, d.Log)
	if err != nil {
		return nil, err
	}
	g := &Go1{deployment: d, instance: in}
	if err := g.connect(ctx, "127.0.0.1:"+port); err != nil {
		in.Close()
		return nil, err
	}
	return g, nil
}

// freePort finds a port for the function to listen on: its runtime takes one and
// tells none.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("finding a free port: %w", err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// connect dials until the function listens.
func (g *Go1) connect(ctx context.Context, addr string) error {
	again := time.NewTicker(500 * time.Microsecond)
	defer again.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			g.client = rpc.NewClient(conn)
			return g.call(ctx, "Function.Ping", &pingRequest{}, &pingResponse{})
		}
		select {
		case <-again.C:
		case <-g.instance.Done():
			return g.instance.Wait()
		case <-ctx.Done():
			return fmt.Errorf("waiting for the function to listen: %w", context.Cause(ctx))
		}
	}
}

// call calls a method; the end of the process or of ctx ends the wait.
func (g *Go1) call(ctx context.Context, method string, args, reply any) error {
	call := g.client.Go(method, args, reply, make(chan *rpc.Call, 1))
	done := call.Done
	for {
		select {
		case <-done:
			if answered := rpc.ServerError(""); call.Error == nil || errors.As(call.Error, &answered) {
				return call.Error
			}
			done = nil // the connection broke, so the process is about to end
		case <-g.instance.Done():
			return g.instance.Wait()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Invoke sends one event and returns the answer, or an [*Error] that the
// function answered. An event that is not answered by its deadline is
// [ErrTimeout]; the process is gone then.
func (g *Go1) Invoke(ctx context.Context, payload []byte, in InvokeOptions) ([]byte, error) {
	ctx, cancel, in := g.withDefaults(ctx, in)
	defer cancel()
	environment, err := json.Marshal(mergeMaps(g.builtinEnv(), g.Env, in.Environment))
	if err != nil {
		return nil, err
	}
	req := &invokeRequest{
		Payload:               payload,
		RequestId:             in.RequestID,
		Deadline:              timestamp{in.Deadline.Unix(), int64(in.Deadline.Nanosecond())},
		InvokedFunctionUnique: g.Name,
		Namespace:             "default",
		FunctionName:          g.Name,
		FunctionVersion:       "$LATEST",
		MemoryLimitInMb:       128,
		TimeLimitInMs:         int32(g.Timeout.Milliseconds()),
		Environment:           string(environment),
		TencentcloudRegion:    "ap-guangzhou",
		TencentcloudAppID:     "1250000000",
	}
	var res invokeResponse
	if err := g.call(ctx, "Function.Invoke", req, &res); err != nil {
		if errors.Is(err, ErrTimeout) {
			g.instance.Close()
		}
		return nil, err
	}
	if e := res.Error; e != nil {
		return nil, &Error{Type: e.Type, Message: e.Message, HasStack: len(e.StackTrace) > 0, ShouldExit: e.ShouldExit}
	}
	return res.Payload, nil
}

// Output returns what the function wrote; it is complete after Close.
func (g *Go1) Output() string { return g.instance.Output() }

// Close kills the function, and closes the fronts to it.
func (g *Go1) Close() {
	g.instance.Close()
	_ = g.client.Close() // the other end is gone already
	g.closeTriggers()
}
