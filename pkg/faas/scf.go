//go:build !lambda

package faas

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/tencentyun/scf-go-lib/cloudfunction"
	"github.com/tencentyun/scf-go-lib/functioncontext"
)

// serveSCF serves the protocol of SCF's runtime Go1 with scf-go-lib. The
// library copies the environment variables sent with an event into the process
// before it calls the handler, so rotated credentials must be read from there.
func serveSCF(in *instance) error {
	cloudfunction.StartHandler(scfHandler{in})
	return errors.New("scf-go-lib returned")
}

// scfHandler is a cloudfunction.Handler.
type scfHandler struct{ in *instance }

func (s scfHandler) Invoke(ctx context.Context, event []byte) ([]byte, error) {
	var inv Invocation
	var limit time.Duration
	if c, ok := functioncontext.FromContext(ctx); ok {
		inv = Invocation{RequestID: c.RequestID, Function: c.FunctionName}
		limit = time.Duration(c.TimeLimitInMs) * time.Millisecond
	}
	inv.Function = cmp.Or(inv.Function, os.Getenv("SCF_FUNCTIONNAME"))
	ctx, cancel := withTimeLimit(ctx, limit)
	defer cancel()
	return s.in.invoke(ctx, inv, event)
}

// withTimeLimit sets the platform's time limit unless ctx has a valid deadline.
// If no deadline was sent, scf-go-lib sets one in 1970, which would cancel
// every event at once. It is replaced by the limit, counted from now, or by
// none if there is no limit.
func withTimeLimit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if d, ok := ctx.Deadline(); ok {
		if d.Unix() > 0 {
			return ctx, func() {}
		}
		ctx = context.WithoutCancel(ctx)
	}
	if limit <= 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, limit)
}

// maxSCFEvent is the size limit of SCF's events in bytes
// (document/product/583/11637).
const maxSCFEvent = 6 << 20

// serveSCFCustom serves the HTTP interface of SCF's runtime CustomRuntime
// (document/product/583/47274). It returns an error if the interface fails; the
// platform then starts a new instance.
func serveSCFCustom(in *instance) error {
	host := os.Getenv("SCF_RUNTIME_API")
	if port := os.Getenv("SCF_RUNTIME_API_PORT"); port != "" {
		host = net.JoinHostPort(host, port)
	}
	r := customRuntime{
		base: "http://" + host + "/runtime/",
		// No proxy, and no timeout, because the next event may take long.
		client: &http.Client{Transport: &http.Transport{}},
	}
	if err := r.post("init/ready", []byte(" ")); err != nil {
		return err
	}
	for {
		if err := r.serveOne(in); err != nil {
			return err
		}
	}
}

type customRuntime struct {
	base   string
	client *http.Client
}

// serveOne waits for an event and posts the result. It returns only errors of
// the interface; those of the function are posted.
func (r customRuntime) serveOne(in *instance) error {
	res, err := r.client.Get(r.base + "invocation/next")
	if err != nil {
		return fmt.Errorf("wait for an event: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("wait for an event: the platform responded with %s", res.Status)
	}
	event, err := io.ReadAll(io.LimitReader(res.Body, maxSCFEvent+1))
	if err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	if len(event) > maxSCFEvent {
		return r.postError(fmt.Errorf("the event has more than %d bytes", maxSCFEvent))
	}

	// This interface sends the time limit but no deadline.
	ms, _ := strconv.ParseInt(res.Header.Get("time_limit_in_ms"), 10, 32)
	ctx, cancel := withTimeLimit(context.Background(), time.Duration(ms)*time.Millisecond)
	defer cancel()
	inv := Invocation{RequestID: res.Header.Get("request_id"), Function: os.Getenv("SCF_FUNCTIONNAME")}
	result, err := in.invoke(ctx, inv, event)
	if err != nil {
		return r.postError(err)
	}
	return r.post("invocation/response", result)
}

func (r customRuntime) postError(err error) error {
	body, _ := json.Marshal(map[string]string{ // strings can always be encoded
		"errorMessage": err.Error(),
		"errorType":    fmt.Sprintf("%T", err),
	})
	return r.post("invocation/error", body)
}

func (r customRuntime) post(path string, body []byte) error {
	res, err := r.client.Post(r.base+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("post to the platform: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // to reuse the connection
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("post to the platform: POST %s was answered with %s", path, res.Status)
	}
	return nil
}
