//go:build !lambda

package faas

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// maxSCFEvent is the largest event that SCF sends, in bytes
// (document/product/583/11637).
const maxSCFEvent = 6 << 20

// serveSCFCustom speaks the HTTP interface of SCF's runtime CustomRuntime
// (document/product/583/47274). It returns when the interface fails: the
// platform then starts a new instance.
func serveSCFCustom(in *instance) error {
	host := os.Getenv("SCF_RUNTIME_API")
	if port := os.Getenv("SCF_RUNTIME_API_PORT"); port != "" {
		host = net.JoinHostPort(host, port)
	}
	r := customRuntime{
		base: "http://" + host + "/runtime/",
		// No timeout, since the next event may be long in coming, and no proxy.
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

// serveOne waits for an event and answers it. The function's own errors are
// answers too: only the interface's are returned.
func (r customRuntime) serveOne(in *instance) error {
	res, err := r.client.Get(r.base + "invocation/next")
	if err != nil {
		return fmt.Errorf("waiting for an event: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("waiting for an event: the platform answered %s", res.Status)
	}
	event, err := io.ReadAll(io.LimitReader(res.Body, maxSCFEvent+1))
	if err != nil {
		return fmt.Errorf("reading an event: %w", err)
	}
	if len(event) > maxSCFEvent {
		return r.fail(fmt.Errorf("the event has more than %d bytes", maxSCFEvent))
	}

	// This interface tells how long an event may take, not until when.
	ms, _ := strconv.ParseInt(res.Header.Get("time_limit_in_ms"), 10, 32)
	ctx, cancel := withLimit(context.Background(), time.Duration(ms)*time.Millisecond)
	defer cancel()
	inv := Invocation{RequestID: res.Header.Get("request_id"), Function: os.Getenv("SCF_FUNCTIONNAME")}
	answer, err := in.invoke(ctx, inv, event)
	if err != nil {
		return r.fail(err)
	}
	return r.post("invocation/response", answer)
}

func (r customRuntime) fail(err error) error {
	body, _ := json.Marshal(map[string]string{ // strings always marshal
		"errorMessage": err.Error(),
		"errorType":    fmt.Sprintf("%T", err),
	})
	return r.post("invocation/error", body)
}

func (r customRuntime) post(path string, body []byte) error {
	res, err := r.client.Post(r.base+path, "application/json", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("answering the platform: %w", err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body) // so that the connection is used again
	if res.StatusCode/100 != 2 {
		return fmt.Errorf("answering the platform: POST %s was answered %s", path, res.Status)
	}
	return nil
}
