package render

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/alertmanager/template"
)

const builtinFunc = "tocsinBuiltin"

// run is what the functions of one compiled template know of the execution
// under way. Binding functions to a notification otherwise takes a copy of the
// whole set for each, as Alertmanager makes it.
type run struct {
	mu   sync.Mutex
	view *View
}

// funcs returns Alertmanager's functions; those that depend on the notification
// or on the time of day look at r. The present is the notification's moment, so
// that a later attempt says the same.
func (r *run) funcs() map[string]any {
	funcs := maps.Clone(map[string]any(template.DefaultFuncs))
	funcs["now"] = func() time.Time { return r.view.n.At }
	funcs["since"] = func(t time.Time) time.Duration { return r.view.n.At.Sub(t) }
	funcs["routeLabels"] = func(name string) (string, error) {
		if r.view.RouteLabel != nil {
			return r.view.RouteLabel(name)
		}
		return r.view.Data().RouteLabels[name], nil
	}
	funcs[builtinFunc] = func() string { return r.view.builtin() }
	return funcs
}

func (r *run) execute(v *View, execute func(io.Writer, any) error) (string, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.view = v
	defer func() { r.view = nil }()
	var out bounded
	if err := execute(&out, v.Data()); err != nil {
		return "", err
	}
	return out.String(), nil
}

func (v *View) builtin() string {
	if v.Builtin == nil {
		return ""
	}
	return v.Builtin()
}

// bounded is a buffer that refuses to grow beyond MaxOutput.
type bounded struct{ bytes.Buffer }

var errOutput = errors.New("the template prints more than 1 MiB")

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > MaxOutput {
		return 0, errOutput
	}
	return b.Buffer.Write(p)
}
