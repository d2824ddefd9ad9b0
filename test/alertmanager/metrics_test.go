package alertmanager

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	amapi "github.com/prometheus/alertmanager/api/metrics"
	"github.com/prometheus/alertmanager/cluster"
	amconfig "github.com/prometheus/alertmanager/config"
	amdispatch "github.com/prometheus/alertmanager/dispatch"
	"github.com/prometheus/alertmanager/featurecontrol"
	amnotify "github.com/prometheus/alertmanager/notify"
	amsilence "github.com/prometheus/alertmanager/silence"
	"github.com/prometheus/client_golang/prometheus"
	versioncollector "github.com/prometheus/client_golang/prometheus/collectors/version"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"tocsin/pkg/app"
	tocsinconfig "tocsin/pkg/config"
)

const metricsConfig = `
route: {receiver: used, group_by: [alertname]}
receivers:
- {name: used, webhook_configs: [{url: "http://127.0.0.1:1/"}, {url: "http://127.0.0.1:1/other"}]}
- {name: unused, webhook_configs: [{url: "http://127.0.0.1:1/"}]}
inhibit_rules: [{source_matchers: [severity=critical], target_matchers: [severity=warning], equal: [alertname]}]
`

// TestMetrics checks that Tocsin's metrics with Alertmanager's prefix have
// Alertmanager's help, labels and, for the same file, its configuration hash.
func TestMetrics(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alertmanager.yml")
	if err := os.WriteFile(path, []byte(metricsConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	upstream := prometheus.NewRegistry()
	families := serveMetrics(t, path)
	checked := 0
	for name, want := range registerUpstream(t, upstream, path) {
		got := families[name]
		if got == nil {
			continue
		}
		checked++
		if got.GetHelp() != want.help {
			t.Errorf("%s: got help %q, want %q", name, got.GetHelp(), want.help)
		}
		for _, m := range got.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, l.GetName())
			}
			if slices.Sort(labels); !slices.Equal(labels, want.labels) {
				t.Errorf("%s: got labels %v, want %v", name, labels, want.labels)
			}
		}
	}
	for name := range families {
		if strings.HasPrefix(name, "alertmanager_") {
			checked--
		}
	}
	// Those of Alertmanager's package app, which needs its built user interface.
	if want := []string{"alertmanager_cluster_enabled", "alertmanager_receivers", "alertmanager_integrations", "alertmanager_inhibition_rules"}; checked != -len(want) {
		t.Errorf("got %d metrics that Alertmanager does not have, want %v", -checked, want)
	}
	own, err := upstream.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range own {
		if f.GetName() != "alertmanager_config_hash" {
			continue
		}
		if got, want := value(families, f.GetName()), f.GetMetric()[0].GetGauge().GetValue(); got != want {
			t.Errorf("%s: got %v, want %v", f.GetName(), got, want)
		}
	}
	// By hand: Alertmanager builds the receivers that routes use.
	for name, want := range map[string]float64{"alertmanager_receivers": 1, "alertmanager_integrations": 2, "alertmanager_inhibition_rules": 1} {
		if got := value(families, name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}

func value(families map[string]*dto.MetricFamily, name string) float64 {
	f := families[name]
	if f == nil {
		return -1
	}
	return f.GetMetric()[0].GetGauge().GetValue()
}

// description is the help and the sorted labels of a metric.
type description struct {
	help   string
	labels []string
}

// registerUpstream registers Alertmanager's metrics and returns their descriptions by
// name.
func registerUpstream(t *testing.T, r *prometheus.Registry, path string) map[string]description {
	t.Helper()
	if err := amconfig.NewCoordinator(path, r, discard).Reload(); err != nil {
		t.Fatal(err)
	}
	amnotify.NewMetrics(r, featurecontrol.NoopFlags{})
	amdispatch.NewDispatcherMetrics(false, r, featurecontrol.NoopFlags{})
	amapi.NewAlerts(r)
	r.MustRegister(versioncollector.NewCollector("alertmanager"))
	if _, err := amsilence.New(amsilence.Options{Retention: never, Metrics: r}); err != nil {
		t.Fatal(err)
	}
	if _, err := cluster.Create(discard, r, "127.0.0.1:0", "", nil, false, time.Minute, time.Minute, time.Second, time.Second, time.Second, time.Minute, nil, false, "", ""); err != nil {
		t.Fatal(err)
	}
	descriptions := map[string]description{}
	all := make(chan *prometheus.Desc)
	go func() { r.Describe(all); close(all) }()
	fields := regexp.MustCompile(`^Desc\{fqName: "(.*)", help: "(.*)", unit: ".*", constLabels: \{(.*)\}, variableLabels: \{(.*)\}\}$`)
	for d := range all {
		m := fields.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("got description %s, want its fields", d)
		}
		var labels []string
		for _, pair := range strings.FieldsFunc(m[3]+","+m[4], func(r rune) bool { return r == ',' }) {
			name, _, _ := strings.Cut(pair, "=")
			labels = append(labels, name)
		}
		slices.Sort(labels)
		descriptions[m[1]] = description{m[2], labels}
	}
	return descriptions
}

// serveMetrics starts Tocsin and returns its metrics.
func serveMetrics(t *testing.T, path string) map[string]*dto.MetricFamily {
	t.Helper()
	s, err := app.NewServer(t.Context(), app.ServerOptions{
		Options: app.Options{Lookup: os.LookupEnv, Now: time.Now, Log: discard, Store: "memory:"},
		Load: func() (*tocsinconfig.Config, error) {
			cfg, _, err := tocsinconfig.Load(path, os.LookupEnv)
			return cfg, err
		},
		Name: "one",
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Run(ctx, l) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("stop: got error %v, want none", err)
		}
	}()
	resp, err := http.Get("http://" + l.Addr().String() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(io.Reader(resp.Body))
	if err != nil {
		t.Fatal(err)
	}
	return families
}
