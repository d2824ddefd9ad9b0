package api_test

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"tocsin/pkg/api"
)

// TestResponsesAsAlertmanager compares with the recorded responses of Alertmanager 0.34.2
// with the same configuration and without alerts.
func TestResponsesAsAlertmanager(t *testing.T) {
	const (
		missing = "/api/v2/silence/00000000-0000-0000-0000-000000000000"
		removed = `{"status":"deprecated","error":"The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please use the equivalent route in the v2 API"}`
	)
	for _, tt := range []struct {
		method, path string
		status       int
		allow        string
		body         string
	}{
		{"GET", "/-/healthy", 200, "", "OK"},
		{"GET", "/-/ready", 200, "", "OK"},
		{"POST", "/-/healthy", 405, "GET, HEAD", "Method Not Allowed"},
		{"GET", "/-/reload", 405, "POST", "Method Not Allowed"},
		{"GET", "/-/nothing", 404, "", "404 page not found"},
		{"GET", "/", 404, "", "404 page not found"},

		{"GET", "/api/v1/alerts", 410, "", removed},
		{"POST", "/api/v1/alerts", 410, "", removed},
		{"DELETE", "/api/v1/silence/x", 410, "", removed},

		{"GET", "/api/v2/nothing", 404, "", `{"code":404,"message":"path /api/v2/nothing was not found"}`},
		{"PATCH", "/api/v2/", 404, "", `{"code":404,"message":"path /api/v2/ was not found"}`},
		{"GET", "/api/v2/silence/", 404, "", `{"code":404,"message":"path /api/v2/silence/ was not found"}`},
		{"GET", "/api/v2/silence/a/b", 404, "", `{"code":404,"message":"path /api/v2/silence/a/b was not found"}`},
		{"PUT", "/api/v2/alerts", 405, "GET, POST", `{"code":405,"message":"method PUT is not allowed, but [GET,POST] are"}`},
		{"OPTIONS", "/api/v2/alerts", 405, "GET, POST", `{"code":405,"message":"method OPTIONS is not allowed, but [GET,POST] are"}`},
		{"HEAD", "/api/v2/alerts", 405, "GET, POST", `{"code":405,"message":"method HEAD is not allowed, but [GET,POST] are"}`},
		{"POST", "/api/v2/alerts/groups", 405, "GET", `{"code":405,"message":"method POST is not allowed, but [GET] are"}`},
		{"POST", "/api/v2/status", 405, "GET", `{"code":405,"message":"method POST is not allowed, but [GET] are"}`},
		{"POST", "/api/v2/receivers", 405, "GET", `{"code":405,"message":"method POST is not allowed, but [GET] are"}`},
		{"DELETE", "/api/v2/silences", 405, "GET, POST", `{"code":405,"message":"method DELETE is not allowed, but [GET,POST] are"}`},
		{"PUT", missing, 405, "DELETE, GET", `{"code":405,"message":"method PUT is not allowed, but [DELETE,GET] are"}`},

		{"GET", "/api/v2/alerts", 200, "", "[]"},
		{"GET", "/api/v2/alerts/groups", 200, "", "[]"},
		{"GET", "/api/v2/silences", 200, "", "[]"},
		{"GET", missing, 404, "", ""},
		{"DELETE", missing, 404, "", ""},
		{"GET", "/api/v2/silence/xyz", 422, "", `{"code":601,"message":"silenceID in path must be of type uuid: \"xyz\""}`},
		{"DELETE", "/api/v2/silence/xyz", 422, "", `{"code":601,"message":"silenceID in path must be of type uuid: \"xyz\""}`},
		{"GET", "/api/v2/silence/0000000g-0000-0000-0000-000000000000", 422, "", `{"code":601,"message":"silenceID in path must be of type uuid: \"0000000g-0000-0000-0000-000000000000\""}`},

		{"GET", "/api/v2/receivers", 200, "", `[{"labels":{"name":"ops"},"name":"ops"},{"labels":{"name":"dba","owner":"data"},"name":"dba"},{"labels":{"name":"night"},"name":"night"}]`},
		{"GET", "/api/v2/receivers?receiver_matchers=owner%3Ddata", 200, "", `[{"labels":{"name":"dba","owner":"data"},"name":"dba"}]`},
		{"GET", "/api/v2/receivers?receiver_matchers=name%3D~%22d.*%22", 200, "", `[{"labels":{"name":"dba","owner":"data"},"name":"dba"}]`},
		{"GET", "/api/v2/receivers?receiver_matchers=name%21%3Dops&receiver_matchers=owner%3D%22%22", 200, "", `[{"labels":{"name":"night"},"name":"night"}]`},
		{"GET", "/api/v2/receivers?receiver_matchers=%7B%7D", 400, "", `"failed to parse receiver_matchers param: unexpected open or close brace: {}"`},

		{"GET", "/api/v2/alerts?filter=foo", 400, "", `"bad matcher format: foo"`},
		{"GET", "/api/v2/alerts?filter=", 400, "", `"bad matcher format: "`},
		{"GET", "/api/v2/alerts?filter=a%3D~%22%28%22", 400, "", "\"error parsing regexp: missing closing ): `^(?:()$`\""},
		{"GET", "/api/v2/alerts?filter=alertname%3D%22A%22,zone%3D%22z1%22", 400, "", `"matcher value contains unescaped double quote: \"A\",zone=\"z1\""`},
		{"GET", "/api/v2/alerts?receiver=%28", 400, "", "\"failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`\""},
		{"GET", "/api/v2/alerts?receiver_matchers=%28", 400, "", `"failed to parse receiver_matchers param: bad matcher format: ("`},
		{"GET", "/api/v2/alerts?filter=%FF%3Da", 400, "", `"a matcher is not UTF-8"`},
		{"GET", "/api/v2/alerts/groups?receiver=%28", 400, "", "\"failed to parse receiver param: error parsing regexp: missing closing ): `^(?:()$`\""},
		{"GET", "/api/v2/alerts/groups?filter=x", 400, "", `"bad matcher format: x"`},
		{"GET", "/api/v2/silences?filter=%28", 400, "", `"bad matcher format: ("`},
	} {
		t.Run(tt.method+" "+tt.path, func(t *testing.T) {
			a := newTestAPI(t, func(o *api.Options) { o.Reload = func(context.Context) error { return nil } })
			r := a.request(tt.method, tt.path, nil)
			status, body := a.read(r)
			if status != tt.status || r.Header.Get("Allow") != tt.allow {
				t.Errorf("got %d, Allow %q; want %d, %q", status, r.Header.Get("Allow"), tt.status, tt.allow)
			}
			isJSON := r.Header.Get("Content-Type") == "application/json"
			if want := strings.HasPrefix(tt.path, "/api/") && tt.body != ""; isJSON != want {
				t.Errorf("got Content-Type %q, want application/json: %v", r.Header.Get("Content-Type"), want)
			}
			if body != tt.body && !(isJSON && sameJSON(t, body, tt.body)) {
				t.Errorf("got  %s\nwant %s", body, tt.body)
			}
			if r.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("got Cache-Control %q, want no-store", r.Header.Get("Cache-Control"))
			}
		})
	}
}

func TestHealthWithHead(t *testing.T) {
	a := newTestAPI(t)
	for _, path := range []string{"/-/healthy", "/-/ready"} {
		if status, _ := a.read(a.request(http.MethodHead, path, nil)); status != 200 {
			t.Errorf("HEAD %s: got %d, want 200", path, status)
		}
	}
}

func TestStatus(t *testing.T) {
	alone := newTestAPI(t, func(o *api.Options) {
		o.Config = "route: {receiver: ops}\n"
		o.Version = api.Version{Revision: "v1.2.3", Branch: "main", User: "builder@example.com", Date: "20261120"}
	})
	_, body := alone.get("/api/v2/status")
	var got struct {
		VersionInfo map[string]string
	}
	decode(t, body, &got)
	if !strings.HasPrefix(got.VersionInfo["goVersion"], "go1.") {
		t.Errorf("goVersion: got %q, want go1.…", got.VersionInfo["goVersion"])
	}
	want := `{"cluster":{"peers":[],"status":"disabled"},"config":{"original":"route: {receiver: ops}\n"},"uptime":"2026-11-20T22:00:00.123Z",
		"versionInfo":{"version":"0.34.2","revision":"v1.2.3","branch":"main","buildUser":"builder@example.com","buildDate":"20261120","goVersion":"` + got.VersionInfo["goVersion"] + `"}}`
	if !sameJSON(t, body, want) {
		t.Errorf("got  %s\nwant %s", body, want)
	}

	clustered := newTestAPI(t, func(o *api.Options) {
		o.Name = "b"
		o.Peers = func(context.Context) []api.Peer { return []api.Peer{{"b", "10.0.0.2:9093"}, {"a", "10.0.0.1:9093"}} }
	})
	_, body = clustered.get("/api/v2/status")
	var status struct{ Cluster any }
	decode(t, body, &status)
	wantCluster := map[string]any{"name": "b", "status": "ready", "peers": []any{
		map[string]any{"name": "a", "address": "10.0.0.1:9093"}, map[string]any{"name": "b", "address": "10.0.0.2:9093"},
	}}
	if !reflect.DeepEqual(status.Cluster, any(wantCluster)) {
		t.Errorf("cluster: got %v, want %v", status.Cluster, wantCluster)
	}
}

func TestReload(t *testing.T) {
	var reloadErr error
	reloads := 0
	a := newTestAPI(t, func(o *api.Options) { o.Reload = func(context.Context) error { reloads++; return reloadErr } })
	if status, body := a.post("/-/reload", ""); status != 200 || body != "" || reloads != 1 {
		t.Errorf("got %d %q after %d reloads, want 200 after one", status, body, reloads)
	}
	reloadErr = errors.New("tocsin.yaml:3: unknown key")
	if status, body := a.post("/-/reload", ""); status != 500 || body != "failed to reload config: tocsin.yaml:3: unknown key" {
		t.Errorf("got %d %q, want 500 and the error", status, body)
	}
	if status, _ := newTestAPI(t).post("/-/reload", ""); status != 404 {
		t.Errorf("without Reload: got %d, want 404", status)
	}
}

func TestRoutePrefix(t *testing.T) {
	for _, prefix := range []string{"/alerts/am", "alerts/am/", "/alerts/am/"} {
		a := newTestAPI(t, func(o *api.Options) { o.RoutePrefix = prefix })
		for path, want := range map[string]int{
			"/alerts/am/api/v2/status": 200, "/alerts/am/-/healthy": 200, "/alerts/am/metrics": 200, "/alerts/am/api/v2/nothing": 404,
			"/api/v2/status": 404, "/-/healthy": 404, "/": 302,
		} {
			t.Run(prefix+" GET "+path, func(t *testing.T) {
				if status, body := a.get(path); status != want {
					t.Errorf("got %d %s, want %d", status, body, want)
				}
			})
		}
		if status, body := a.get("/alerts/am/api/v2/nothing"); body != `{"code":404,"message":"path /api/v2/nothing was not found"}` {
			t.Errorf("unknown path: got %d %s, want it without the prefix", status, body)
		}
	}
	a := newTestAPI(t, func(o *api.Options) { o.RoutePrefix = "/" })
	if status, _ := a.get("/api/v2/status"); status != 200 {
		t.Errorf("with the prefix /: got %d, want 200", status)
	}
}

// TestAccessLog checks that the access log has level debug and no query.
func TestAccessLog(t *testing.T) {
	a := newTestAPI(t)
	a.now = t0.Add(time.Hour)
	a.get("/api/v2/alerts?token=hunter2")
	log := a.logs.String()
	for _, part := range []string{"level=DEBUG", "method=GET", "path=/api/v2/alerts", "status=200", "bytes=3", "took=0s"} {
		if !strings.Contains(log, part) {
			t.Errorf("got the log %s, want %s in it", log, part)
		}
	}
	if strings.Contains(log, "hunter2") {
		t.Errorf("the log contains the token: %s", log)
	}
}
