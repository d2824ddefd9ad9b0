package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestServerErrors checks that the errors of a server, and of a proxy before it, name the
// remedy on one line, without the token.
func TestServerErrors(t *testing.T) {
	const token = "secret-token-0123456789"
	respond := func(status int, body string, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	for _, tt := range []struct {
		name   string
		server http.HandlerFunc
		want   string // in the error; URL is the server's
	}{
		{"a message of Tocsin", respond(404, `{"code":404,"message":"no cluster is named \"x\""}`), `URL: no cluster is named "x"`},
		{"a wrong token", respond(401, `{"code":401,"message":"a token is required"}`), "URL requires another token: set --token or TOCSIN_TOKEN"},
		{"a store out of reach", respond(503, `{"code":503,"message":"the store is out of reach: try again"}`), "URL is busy or without its store: try again (the store is out of reach: try again)"},
		{"a busy proxy", respond(503, "<html>"), "URL is busy or without its store: try again (503 Service Unavailable)"},
		{"a proxy without its server", respond(502, "<html>"), "URL failed with 502 Bad Gateway: see its log"},
		{"another server", respond(404, "404 page not found"), "URL does not answer as Tocsin does (404 Not Found)"},
		{"a page", respond(200, "<html>"), "URL does not answer as Tocsin does (200 OK)"},
		{"a list of another form", respond(200, `{"status":"success"}`), "URL does not answer as Tocsin does (200 OK)"},
		{"a redirect, which is not followed", respond(308, "", "Location", "https://evil.example/"), "URL redirects to https://evil.example/: give --url the address of Tocsin itself"},
		{"a response that ends early", respond(200, "[", "Content-Length", "9"), "read the response of URL: unexpected EOF"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(tt.server)
			t.Cleanup(server.Close)
			for _, args := range [][]string{{"dead"}, {"lag"}, {"send", "--receiver", "ops"}} {
				r := runToolWith(t.Context(), map[string]string{"TOCSIN_URL": server.URL, "TOCSIN_TOKEN": token}, args...)
				r.want(t, 1, "tocsin "+args[0]+": "+strings.ReplaceAll(tt.want, "URL", server.URL))
				r.withoutSecret(t, token)
				if r.stdout != "" || strings.Count(r.stderr, "\n") != 1 {
					t.Errorf("%v: got %q and %q, want one line on standard error only", args, r.stdout, r.stderr)
				}
			}
		})
	}
	t.Run("a server that cannot be reached", func(t *testing.T) {
		server := httptest.NewServer(nil)
		server.Close()
		runTool(t, "dead", "--url", server.URL).want(t, 1, "cannot reach "+server.URL+": ")
	})
}

// TestServerRequests checks the requests that commands send.
func TestServerRequests(t *testing.T) {
	for _, tt := range []struct {
		name, suffix, args string
		env                map[string]string
		want               string
	}{
		{"without a token", "", "dead", nil, "GET /api/tocsin/v1/dead "},
		{"with the flag", "", "dead --token abc", map[string]string{"TOCSIN_TOKEN": "other"}, "GET /api/tocsin/v1/dead Bearer abc"},
		{"with the variable", "", "dead", map[string]string{"TOCSIN_TOKEN": "abc"}, "GET /api/tocsin/v1/dead Bearer abc"},
		{"under a prefix", "/tocsin/", "lag", nil, "GET /tocsin/api/tocsin/v1/lag "},
		{"of one cluster", "", "lag --cluster a&b", nil, "GET /api/tocsin/v1/lag?cluster=a%26b "},
		{"escaped", "", "send --receiver a/运?", nil, "POST /api/tocsin/v1/receivers/a%2F%E8%BF%90%3F/test "},
		{"of one dead letter", "", "dead --resend id-1", nil, "POST /api/tocsin/v1/dead/id-1/resend "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := ""
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got = r.Method + " " + r.RequestURI + " " + r.Header.Get("Authorization")
				http.Error(w, "", http.StatusTeapot)
			}))
			defer server.Close()
			runToolWith(t.Context(), tt.env, append(strings.Fields(tt.args), "--url", server.URL+tt.suffix)...)
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
	t.Run("a configuration that is named wins over the variable", func(t *testing.T) {
		env := map[string]string{"TOCSIN_URL": "http://127.0.0.1:1"}
		path := writeFile(t, "tocsin.yaml", "route: {receiver: ops}\nreceivers: [{name: ops}]\n")
		runToolWith(t.Context(), env, "dead", "--config", path).want(t, 1, "names no store")
		runToolWith(t.Context(), env, "dead", "--config", path, "--url", "http://127.0.0.1:1").want(t, 1, "cannot reach http://127.0.0.1:1")
	})
	t.Run("a token without encryption is a warning", func(t *testing.T) {
		r := runTool(t, "dead", "--url", "http://tocsin.invalid:9093", "--token", "secret")
		r.want(t, 1, "warning: the token is sent to tocsin.invalid:9093 without encryption; use https\n")
		r.withoutSecret(t, "secret")
	})
}
