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

// Go1 is an instance with the runtime Go1: the function listens, and the
// platform calls it with net/rpc and gob.
type Go1 struct {
	*deployment
	instance *instance.Instance
	client   *rpc.Client
}

// The messages of the protocol. gob matches fields by name.
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

// StartGo1 starts a function and returns once it responds to a ping. ctx bounds
// the start only.
func StartGo1(ctx context.Context, o Options) (*Go1, error) {
	d := newDeployment(o)
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	env := mergeMaps(d.builtinEnv(), map[string]string{"_LAMBDA_SERVER_PORT": port, "_SCF_SERVER_PORT": port})
	in, err := instance.Start(d.Options, env)
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

// freePort returns a free port for the function: its runtime must be given one.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), nil
}

// connect dials until the function listens.
func (g *Go1) connect(ctx context.Context, addr string) error {
	retry := time.NewTicker(500 * time.Microsecond)
	defer retry.Stop()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			g.client = rpc.NewClient(conn)
			return g.call(ctx, "Function.Ping", &pingRequest{}, &pingResponse{})
		}
		select {
		case <-retry.C:
		case <-g.instance.Done():
			return g.instance.Wait()
		case <-ctx.Done():
			return fmt.Errorf("wait for the function to listen: %w", context.Cause(ctx))
		}
	}
}

// call calls a method. It returns early when the process or ctx ends.
func (g *Go1) call(ctx context.Context, method string, args, reply any) error {
	call := g.client.Go(method, args, reply, make(chan *rpc.Call, 1))
	done := call.Done
	for {
		select {
		case <-done:
			if serverError := rpc.ServerError(""); call.Error == nil || errors.As(call.Error, &serverError) {
				return call.Error
			}
			done = nil // the connection is lost: the process ends, and Wait has its output
		case <-g.instance.Done():
			return g.instance.Wait()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Invoke sends one event and returns the response, or an [*Error] that the
// function returned. For an event without a response by its deadline it kills
// the process and returns [ErrTimeout].
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

// Output returns the output of the function. It is complete after Close.
func (g *Go1) Output() string { return g.instance.Output() }

// Close kills the function and closes its HTTP triggers.
func (g *Go1) Close() {
	g.instance.Close()
	_ = g.client.Close() // fails, since the process has ended
	g.triggers.Close()
}
