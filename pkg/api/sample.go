package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"tocsin/pkg/alert"
	"tocsin/pkg/intake"
)

// Sample returns the alerts that a hook makes of a message, or why it would
// refuse it. name is the hook's path below /hooks/. A hook that takes queries is
// given one: NAME=VALUE&… . Nothing is taken in.
func DecodeSample(ctx context.Context, o Options, name string, message []byte) ([]*alert.Alert, error) {
	a := newAPI(o)
	var names []string
	for _, h := range a.allHooks() {
		short := strings.TrimPrefix(h.name, "hooks/")
		names = append(names, short)
		if short != name {
			continue
		}
		r, err := sampleRequest(ctx, &h, message)
		if err != nil {
			return nil, err
		}
		out, err := a.understand(r, a.Now(), &h)
		return out.Alerts, err
	}
	return nil, fmt.Errorf("there is no hook %q: there are %s", name, strings.Join(names, ", "))
}

// sampleRequest is the request that brings a message, from a sender with a token.
func sampleRequest(ctx context.Context, h *hook, message []byte) (*http.Request, error) {
	ctx = context.WithValue(ctx, callerKey{}, Identity{Name: "sample"})
	if h.media == nil {
		return http.NewRequestWithContext(ctx, http.MethodGet, "/"+h.name+"?"+string(bytes.TrimSpace(message)), nil)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/"+h.name, bytes.NewReader(message))
	if err != nil {
		return nil, err
	}
	media := intake.Form
	if json.Valid(message) || !bytes.Contains(message, []byte("=")) {
		media = intake.JSON // and if it is none, the decoder tells where
	}
	r.Header.Set("Content-Type", media)
	return r, nil
}
