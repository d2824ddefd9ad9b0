package functions

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"tocsin/pkg/faas"
	"tocsin/pkg/localcloud/lambda"
	"tocsin/pkg/localcloud/scf"
)

const web = "../../pkg/faas/testdata/web"

// buildWeb builds the HTTP function once for all tests.
var buildWeb = sync.OnceValue(func() error {
	if err := build("web-scf", forSCF, web); err != nil {
		return err
	}
	return build("web-lambda", forLambda, web)
})

// front is an HTTP function that runs behind a front of a platform's.
type front struct {
	url    string
	close  func()
	output func() string
}

// fronts starts the HTTP function behind each front.
var fronts = map[string]func(testing.TB) front{
	"scf function url": func(t testing.TB) front {
		f := startSCF(t)
		return front{f.Serve(scf.FunctionURL), f.Close, f.Output}
	},
	"scf api gateway": func(t testing.TB) front {
		f := startSCF(t)
		return front{f.Serve(scf.APIGateway), f.Close, f.Output}
	},
	"scf custom function url": func(t testing.TB) front {
		needWeb(t)
		f, err := scf.StartCustom(t.Context(), scf.Options{Binary: binary("web-scf"), Name: "webhook"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Close)
		return front{f.Serve(scf.FunctionURL), f.Close, f.Output}
	},
	"lambda function url":    onLambda(lambda.FunctionURL),
	"lambda http api":        onLambda(lambda.HTTPAPI),
	"lambda rest api":        onLambda(lambda.RESTAPI),
	"lambda alb":             onLambda(lambda.ALB),
	"lambda alb multi-value": onLambda(lambda.ALBMultiValue),
}

func needWeb(t testing.TB) {
	t.Helper()
	if err := buildWeb(); err != nil {
		t.Fatal(err)
	}
}

func startSCF(t testing.TB) *scf.Go1 {
	t.Helper()
	needWeb(t)
	f, err := scf.StartGo1(t.Context(), scf.Options{Binary: binary("web-scf"), Name: "webhook"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func onLambda(kind lambda.HTTPTrigger) func(testing.TB) front {
	return func(t testing.TB) front {
		needWeb(t)
		f, err := lambda.Start(lambda.Options{Binary: binary("web-lambda"), Name: "webhook"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Close)
		return front{f.Serve(kind), f.Close, f.Output}
	}
}

// do sends a request and reads the response.
func do(t testing.TB, method, target, body string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	if host := r.Header.Get("Host"); host != "" {
		r.Host = host
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, b
}

// seen is what the function says that its handler was given.
type seen struct {
	Method, Path, RawPath, URI, Host, Remote string
	Query                                    url.Values
	Header                                   http.Header
	Length                                   int64
	Body                                     []byte
	Deadline                                 int64
	Invocation                               faas.Invocation
	Builds                                   int
}

func ask(t testing.TB, method, target, body string, header http.Header) (s seen) {
	t.Helper()
	res, b := do(t, method, target, body, header)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", res.Status, b)
	}
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatalf("%q: %v", b, err)
	}
	return s
}
