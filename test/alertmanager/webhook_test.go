package alertmanager

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

const webhookToken = "secret-hook-token"

// TestWebhook has an Alertmanager process with the example's configuration forward an
// alert, firing and resolved, to `tocsin serve`, over TLS and with a token.
func TestWebhook(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, nil, "go", "build", "-C", "../..", "-o", dir+"/tocsin", "./cmd/tocsin")
	buildAlertmanager(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	received := make(chan webhookBody, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body webhookBody
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			panic(http.ErrAbortHandler)
		}
		received <- body
	}))
	defer hook.Close()
	tocsin := startTocsin(ctx, t, dir, hook.URL)
	am := startAlertmanager(ctx, t, dir, tocsin)

	a := webhookAlert{
		Labels:       map[string]string{"alertname": "HostDown", "instance": "web-1", "project": "oms", "severity": "critical"},
		Annotations:  map[string]string{"summary": "web-1 失联"},
		StartsAt:     time.Now().Add(-time.Hour).Truncate(time.Millisecond).UTC(),
		EndsAt:       time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC(),
		GeneratorURL: "https://prometheus.example.com/graph?g0.expr=up",
	}
	a.post(ctx, t, am)
	body := nextBody(ctx, t, received)
	firing := a
	firing.EndsAt = time.Time{}
	if body.Status != "firing" || !reflect.DeepEqual(body.Alerts, []webhookAlert{firing}) {
		t.Errorf("got %+v, want the firing alert %+v", body, firing)
	}
	listed := listAlerts(ctx, t, tocsin)
	for i := range listed {
		listed[i].EndsAt = time.Time{} // API v2 has the time at which the alert would expire
	}
	if !reflect.DeepEqual(listed, []webhookAlert{firing}) {
		t.Errorf("API v2: got %+v, want %+v", listed, firing)
	}

	a.EndsAt = time.Now().Truncate(time.Millisecond).UTC()
	a.post(ctx, t, am)
	if body := nextBody(ctx, t, received); body.Status != "resolved" || !reflect.DeepEqual(body.Alerts, []webhookAlert{a}) {
		t.Errorf("got %+v, want the resolved alert %+v", body, a)
	}
	if listed := listAlerts(ctx, t, tocsin); len(listed) > 0 {
		t.Errorf("API v2: got %+v, want no alerts", listed)
	}
}

// webhookBody is the part of a webhook's body that is compared.
type webhookBody struct {
	Status string
	Alerts []webhookAlert
}

// webhookAlert is an alert in a webhook's body and in API v2.
type webhookAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

func (a webhookAlert) post(ctx context.Context, t *testing.T, am string) {
	t.Helper()
	body, err := json.Marshal([]webhookAlert{a})
	if err != nil {
		t.Fatal(err)
	}
	call(ctx, t, http.DefaultClient, http.MethodPost, am, body)
}

func listAlerts(ctx context.Context, t *testing.T, tocsin *httptest.Server) (alerts []webhookAlert) {
	t.Helper()
	if err := json.Unmarshal(call(ctx, t, tocsin.Client(), http.MethodGet, tocsin.URL, nil), &alerts); err != nil {
		t.Fatal(err)
	}
	return alerts
}

// call gets alerts from API v2, or posts them, and returns the response's body.
func call(ctx context.Context, t *testing.T, client *http.Client, method, server string, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, server+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+webhookToken)
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %v\n%s", method, req.URL, resp.Status, err, answer)
	}
	return answer
}

func nextBody(ctx context.Context, t *testing.T, received <-chan webhookBody) webhookBody {
	t.Helper()
	select {
	case body := <-received:
		return body
	case <-ctx.Done():
		t.Fatal("got no webhook request, want one")
		return webhookBody{}
	}
}

// buildAlertmanager builds Alertmanager from its module, with its own go.mod and with
// a placeholder for the web interface, which the module does not have.
func buildAlertmanager(t *testing.T, dir string) {
	source := filepath.Join(dir, "source")
	module := strings.TrimSpace(run(t, dir, nil, "go", "list", "-m", "-f", "{{.Dir}}", upstreamModule))
	if err := os.CopyFS(source, os.DirFS(module)); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(source+"/ui/app/dist", 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, source+"/ui/app/dist/index.html", "<html></html>")
	run(t, dir, []string{"GOFLAGS=", "GOWORK=off"}, "go", "build", "-C", source, "-trimpath", "-o", dir+"/alertmanager", "./cmd/alertmanager")
}

// startTocsin starts Tocsin, which notifies the webhook, behind a TLS proxy.
func startTocsin(ctx context.Context, t *testing.T, dir, webhook string) *httptest.Server {
	config := writeFile(t, dir+"/tocsin.yaml", fmt.Sprintf(`
webhook: {auth: {tokens: [{name: alertmanager, token: %q}]}}
route: {receiver: webhook, group_wait: 0s, group_interval: 1s}
receivers: [{name: webhook, webhook_configs: [{url: %q}]}]
`, webhookToken, webhook))
	address := startServer(ctx, t, dir, nil, dir+"/tocsin", "serve", "--config.file="+config, "--storage.path="+dir+"/tocsin-data")
	proxy := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address}))
	t.Cleanup(proxy.Close)
	return proxy
}

// startAlertmanager starts an Alertmanager that trusts the proxy's certificate, and
// returns its URL.
func startAlertmanager(ctx context.Context, t *testing.T, dir string, tocsin *httptest.Server) string {
	example, err := os.ReadFile("../../examples/prometheus/alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := string(example)
	for from, to := range map[string]string{"https://alerts.example.com": tocsin.URL, "group_interval: 10s": "group_interval: 1s"} {
		if !strings.Contains(config, from) {
			t.Fatalf("the example: got no %s, want it to replace", from)
		}
		config = strings.ReplaceAll(config, from, to)
	}
	writeFile(t, dir+"/tocsin.token", webhookToken)
	ca := writeFile(t, dir+"/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tocsin.Certificate().Raw})))
	return "http://" + startServer(ctx, t, dir, []string{"SSL_CERT_FILE=" + ca, "SSL_CERT_DIR=" + dir},
		dir+"/alertmanager", "--config.file="+writeFile(t, dir+"/alertmanager.yml", config), "--storage.path="+dir+"/alertmanager-data", "--cluster.listen-address=")
}

var listening = regexp.MustCompile(`Listening on.*address=(127\.0\.0\.1:\d+)`)

// startServer starts a program and returns the address on which it listens.
func startServer(ctx context.Context, t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(ctx, program, append(args, "--web.listen-address=127.0.0.1:0")...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			t.Log(filepath.Base(program), lines.Text())
			if m := listening.FindStringSubmatch(lines.Text()); m != nil {
				address <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		cmd.Wait()
	})
	select {
	case a := <-address:
		return a
	case <-ended:
		t.Fatalf("%s exited, want it to listen", program)
		return ""
	}
}

// writeFile writes a file and returns its path.
func writeFile(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
