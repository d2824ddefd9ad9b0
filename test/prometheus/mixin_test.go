package prometheus

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-jsonnet"
)

const alertmanagerModule = "github.com/prometheus/alertmanager"

// TestMixin feeds the metrics of a running Tocsin to the rules of Alertmanager's mixin:
// none fires while all is well, and those of failed reloads and failed notifications
// fire. Every metric that the rules and the dashboard name exists.
func TestMixin(t *testing.T) {
	const healthy, failing = 25, 35 // scrapes, one a minute for the rules
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	var status atomic.Int32
	status.Store(http.StatusOK)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) }))
	defer receiver.Close()
	dir := t.TempDir()
	config := write(t, dir, "tocsin.yml", `
route: {receiver: hook, group_by: [alertname], group_wait: 0s}
receivers: [{name: hook, webhook_configs: [{url: "`+receiver.URL+`"}]}]
`)
	address := start(ctx, t, dir, nil, `Listening on address=(\S+)`, "tocsin", "serve", "--config.file="+config, "--web.listen-address=127.0.0.1:0")
	s := &scraped{ctx: ctx, t: t, url: "http://" + address}

	for n := range healthy {
		s.post("/api/v2/alerts", fmt.Sprintf(`[{"labels": {"alertname": "Healthy%d"}}]`, n))
		s.waitFor(fmt.Sprintf("alertmanager_notifications_total{integration=\"webhook\"} %d\n", n+1))
		s.record()
	}
	status.Store(http.StatusNotFound)
	write(t, dir, "tocsin.yml", "nonsense: 1\n")
	if got := s.post("/-/reload", ""); got != http.StatusInternalServerError {
		t.Errorf("reload of a faulty configuration: got status %d, want 500", got)
	}
	for n := range failing {
		s.post("/api/v2/alerts", fmt.Sprintf(`[{"labels": {"alertname": "Failing%d"}}]`, n))
		s.waitFor(fmt.Sprintf("alertmanager_notifications_failed_total{integration=\"webhook\",reason=\"clientError\"} %d\n", n+1))
		s.record()
	}

	rules := mixinRules(t)
	write(t, dir, "rules.yml", rules)
	write(t, dir, "tests.yml", s.ruleTest([]expectation{
		{healthy - 1, nil},
		// By hand, from the rules: a reload must have failed for 10 minutes, and
		// notifications for 5.
		{healthy + failing - 1, []string{
			`alertname="AlertmanagerFailedReload", severity="critical", instance="one"`,
			`alertname="AlertmanagerFailedToSendAlerts", severity="warning", instance="one", integration="webhook", reason="clientError"`,
			`alertname="AlertmanagerClusterFailedToSendAlerts", severity="critical", integration="webhook"`,
		}},
	}))
	run(t, nil, "promtool", "test", "rules", filepath.Join(dir, "tests.yml"))

	dashboard := read(t, filepath.Join(mixin(t), "dashboards", "overview.libsonnet"))
	names := regexp.MustCompile(`\b(alertmanager|process|go)_\w+`)
	for _, name := range slices.Concat(names.FindAllString(rules, -1), names.FindAllString(string(dashboard), -1)) {
		if !regexp.MustCompile(`(?m)^` + name + `[{ ]`).Match(s.text) {
			t.Errorf("got no %s in /metrics, want every metric of the mixin", name)
		}
	}
}

// TestMetricsLint checks that promtool has nothing to say about the metrics of a server
// with everything that has metrics.
func TestMetricsLint(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	config := write(t, dir, "tocsin.yml", `
route: {receiver: none}
receivers: [{name: none}]
lag: {clusters: [{name: gone, kafka: {brokers: ["127.0.0.1:1"]}}]}
hosts: {hosts: [{id: web-1}]}
`)
	address := start(ctx, t, dir, nil, `Listening on address=(\S+)`, "tocsin", "serve", "--config.file="+config, "--web.listen-address=127.0.0.1:0")
	s := &scraped{ctx: ctx, t: t, url: "http://" + address}
	for _, want := range []string{`tocsin_poll_failures_total{cluster="gone"} 1`, "tocsin_last_tick_timestamp_seconds ", `tocsin_hosts{state="never"} 1`, "process_resident_memory_bytes ", "process_open_fds ", "go_goroutines "} {
		s.waitFor(want)
	}
	cmd := exec.CommandContext(ctx, filepath.Join(bin, "promtool"), "check", "metrics")
	cmd.Stdin = bytes.NewReader(s.text)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("got %s and error %v, want nothing", out, err)
	}
}

// mixin returns the directory of Alertmanager's mixin.
func mixin(t *testing.T) string {
	t.Helper()
	dir, err := goTool("list", "-m", "-f", "{{.Dir}}", alertmanagerModule)
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(dir), "doc", "alertmanager-mixin")
}

// mixinRules returns the mixin's rules as it configures them itself.
func mixinRules(t *testing.T) string {
	t.Helper()
	vm := jsonnet.MakeVM()
	vm.StringOutput = true
	rules, err := vm.EvaluateFile(filepath.Join(mixin(t), "alerts.jsonnet"))
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// scraped has the metrics of a server, once a minute for the rules.
type scraped struct {
	ctx   context.Context
	t     *testing.T
	url   string
	text  []byte // the last
	count int
	// values are those of each series, "_" where it was missing.
	values map[string][]string
}

// post sends a request and returns the status of the response.
func (s *scraped) post(path, body string) int {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodPost, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// scrape reads the metrics.
func (s *scraped) scrape() {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.ctx, http.MethodGet, s.url+"/metrics", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	if s.text, err = io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		s.t.Fatalf("got %s and error %v, want 200", resp.Status, err)
	}
}

// waitFor scrapes until a line begins with want.
func (s *scraped) waitFor(want string) {
	s.t.Helper()
	want = "\n" + want
	for s.scrape(); !bytes.Contains(s.text, []byte(want)); s.scrape() {
		if s.ctx.Err() != nil {
			s.t.Fatalf("got\n%s\nwant %s in it", s.text, want)
		}
	}
}

// record keeps the last scrape.
func (s *scraped) record() {
	if s.values == nil {
		s.values = map[string][]string{}
	}
	for line := range strings.Lines(string(s.text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		end := strings.LastIndex(line, " ")
		series := line[:end]
		for len(s.values[series]) < s.count {
			s.values[series] = append(s.values[series], "_")
		}
		s.values[series] = append(s.values[series], strings.TrimSpace(line[end:]))
	}
	s.count++
}

// expectation are the alerts that fire at a minute, by their labels apart from job.
type expectation struct {
	minute int
	firing []string
}

// ruleTest returns a test of promtool with the recorded series.
func (s *scraped) ruleTest(expectations []expectation) string {
	var b strings.Builder
	b.WriteString("rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n  input_series:\n")
	add := func(series string, values []string) {
		name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		fmt.Fprintf(&b, "  - {series: '%s{job=\"alertmanager\",instance=\"one\",%s}', values: '%s'}\n", name, labels, strings.Join(values, " "))
	}
	add("up", slices.Repeat([]string{"1"}, s.count))
	for _, series := range slices.Sorted(maps.Keys(s.values)) {
		add(series, s.values[series])
	}
	b.WriteString("  promql_expr_test:\n")
	for _, e := range expectations {
		fmt.Fprintf(&b, "  - expr: ALERTS{alertstate=\"firing\"}\n    eval_time: %dm\n    exp_samples:\n", e.minute)
		for _, labels := range e.firing {
			fmt.Fprintf(&b, "    - {labels: 'ALERTS{alertstate=\"firing\", job=\"alertmanager\", %s}', value: 1}\n", labels)
		}
	}
	return b.String()
}
