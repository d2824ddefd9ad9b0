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

const hookToken = "secret-hook-token"

// A real Alertmanager with the configuration of the example hands an alert on to
// `tocsin serve`, over TLS and with a token, and then its end.
func TestWebhook(t *testing.T) {
	dir := t.TempDir()
	run(t, dir, nil, "go", "build", "-C", "../..", "-o", dir+"/tocsin", "./cmd/tocsin")
	buildAlertmanager(t, dir)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	told := make(chan hookBody, 100)
	ear := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body hookBody
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			panic(http.ErrAbortHandler)
		}
		told <- body
	}))
	defer ear.Close()
	tocsin := startTocsin(ctx, t, dir, ear.URL)
	am := startAlertmanager(ctx, t, dir, tocsin)

	a := hookAlert{
		Labels:       map[string]string{"alertname": "HostDown", "instance": "web-1", "project": "oms", "severity": "critical"},
		Annotations:  map[string]string{"summary": "web-1 失联"},
		StartsAt:     time.Now().Add(-time.Hour).Truncate(time.Millisecond).UTC(),
		EndsAt:       time.Now().Add(time.Hour).Truncate(time.Millisecond).UTC(),
		GeneratorURL: "https://prometheus.example.com/graph?g0.expr=up",
	}
	a.post(ctx, t, am)
	body := next(ctx, t, told)
	firing := a
	firing.EndsAt = time.Time{}
	if body.Status != "firing" || !reflect.DeepEqual(body.Alerts, []hookAlert{firing}) {
		t.Errorf("told %+v, want that this fires: %+v", body, firing)
	}
	standing := list(ctx, t, tocsin)
	for i := range standing {
		standing[i].EndsAt = time.Time{} // Tocsin shows a time until when it counts on the alert
	}
	if !reflect.DeepEqual(standing, []hookAlert{firing}) {
		t.Errorf("API v2 lists %+v, want %+v", standing, firing)
	}

	a.EndsAt = time.Now().Truncate(time.Millisecond).UTC()
	a.post(ctx, t, am)
	if body := next(ctx, t, told); body.Status != "resolved" || !reflect.DeepEqual(body.Alerts, []hookAlert{a}) {
		t.Errorf("told %+v, want that this is over: %+v", body, a)
	}
	if standing := list(ctx, t, tocsin); len(standing) > 0 {
		t.Errorf("API v2 lists %+v, which is over", standing)
	}
}

// hookBody is what a webhook is told.
type hookBody struct {
	Status string
	Alerts []hookAlert
}

// hookAlert is an alert in a webhook and in API v2.
type hookAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

func (a hookAlert) post(ctx context.Context, t *testing.T, am string) {
	t.Helper()
	body, err := json.Marshal([]hookAlert{a})
	if err != nil {
		t.Fatal(err)
	}
	call(ctx, t, http.DefaultClient, http.MethodPost, am, body)
}

func list(ctx context.Context, t *testing.T, tocsin *httptest.Server) (alerts []hookAlert) {
	t.Helper()
	if err := json.Unmarshal(call(ctx, t, tocsin.Client(), http.MethodGet, tocsin.URL, nil), &alerts); err != nil {
		t.Fatal(err)
	}
	return alerts
}

// call asks API v2 for alerts, or posts them.
func call(ctx context.Context, t *testing.T, client *http.Client, method, server string, body []byte) []byte {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, server+"/api/v2/alerts", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+hookToken)
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

func next(ctx context.Context, t *testing.T, told <-chan hookBody) hookBody {
	t.Helper()
	select {
	case body := <-told:
		return body
	case <-ctx.Done():
		t.Fatal("nothing is told")
		return hookBody{}
	}
}

// buildAlertmanager builds Alertmanager from its module, with a page in the place
// of its web interface, which the module lacks, and with what its own go.mod says.
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

// startTocsin starts Tocsin, and a proxy in front of it that speaks TLS.
func startTocsin(ctx context.Context, t *testing.T, dir, ear string) *httptest.Server {
	config := writeFile(t, dir+"/tocsin.yaml", fmt.Sprintf(`
webhook: {auth: {tokens: [{name: alertmanager, token: %q}]}}
route: {receiver: ear, group_wait: 0s, group_interval: 1s}
receivers: [{name: ear, webhook_configs: [{url: %q}]}]
`, hookToken, ear))
	address := start(ctx, t, dir, nil, dir+"/tocsin", "serve", "--config.file="+config, "--storage.path="+dir+"/tocsin-data")
	proxy := httptest.NewTLSServer(httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address}))
	t.Cleanup(proxy.Close)
	return proxy
}

// startAlertmanager starts Alertmanager, which trusts the proxy's certificate, and
// returns its address.
func startAlertmanager(ctx context.Context, t *testing.T, dir string, tocsin *httptest.Server) string {
	example, err := os.ReadFile("../../examples/prometheus/alertmanager.yml")
	if err != nil {
		t.Fatal(err)
	}
	config := string(example)
	for from, to := range map[string]string{"https://alerts.example.com": tocsin.URL, "group_interval: 10s": "group_interval: 1s"} {
		if !strings.Contains(config, from) {
			t.Fatalf("the example has no %s", from)
		}
		config = strings.ReplaceAll(config, from, to)
	}
	writeFile(t, dir+"/tocsin.token", hookToken)
	ca := writeFile(t, dir+"/ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: tocsin.Certificate().Raw})))
	return "http://" + start(ctx, t, dir, []string{"SSL_CERT_FILE=" + ca, "SSL_CERT_DIR=" + dir},
		dir+"/alertmanager", "--config.file="+writeFile(t, dir+"/alertmanager.yml", config), "--storage.path="+dir+"/alertmanager-data", "--cluster.listen-address=")
}

var listening = regexp.MustCompile(`Listening on.*address=(127\.0\.0\.1:\d+)`)

// start starts a server and returns where it listens.
func start(ctx context.Context, t *testing.T, dir string, env []string, program string, args ...string) string {
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
		t.Fatal(program, "does not start")
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
