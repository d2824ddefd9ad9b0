package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"tocsin/pkg/intake"
)

// decoded are messages of every system, as the tests of the decoders have them.
var decoded = []struct{ hook, file string }{
	{"alertmanager", "alertmanager/firing-and-resolved.json"},
	{"grafana", "grafana/firing.json"},
	{"tencent-monitor", "tencent-monitor/metric.json"},
	{"zabbix", "zabbix/problem.json"},
	{"aliyun", "aliyun/threshold.form"},
	{"sns", "sns/raw-alarm.json"},
	{"open-falcon/im", "open-falcon/im.form"},
	{"open-falcon/sms", "open-falcon/sms-merged.form"},
	{"open-falcon/mail", "open-falcon/mail.form"},
	{"open-falcon/callback", "open-falcon/callback.query"},
}

// decoders measures what each decoder takes for an alert, beside what it takes
// the standard library to parse the same message into maps.
func (b *bench) decoders(context.Context) ([]row, error) {
	now := time.Date(2026, 11, 20, 14, 30, 0, 0, time.UTC)
	systems := intake.Systems()
	sns := intake.NewSNS(intake.SNSConfig{}, nil)
	systems = append(systems, intake.System{Name: "sns", Decode: func(in intake.Input) (intake.Output, error) { return sns.Decode(context.Background(), in) }})
	var rows []row
	for _, d := range decoded {
		i := slices.IndexFunc(systems, func(s intake.System) bool { return s.Name == d.hook })
		body, err := os.ReadFile(filepath.Join("pkg/intake/testdata", d.file))
		if err != nil {
			return nil, err
		}
		in := intake.Input{Now: now, Zone: time.UTC, Authenticated: true, Media: intake.JSON, Body: body}
		parse := func() error { return json.Unmarshal(body, new(any)) }
		if filepath.Ext(d.file) != ".json" {
			in.Media = intake.Form
			if in.Query, err = url.ParseQuery(string(body)); err != nil {
				return nil, err
			}
			parse = func() error { _, err := url.ParseQuery(string(body)); return err }
		}
		alerts := 0
		ours, err := cost(func() error {
			out, err := systems[i].Decode(in)
			alerts = len(out.Alerts)
			return err
		})
		if err != nil || alerts == 0 {
			return nil, fmt.Errorf("%s: %d alerts: %w", d.file, alerts, err)
		}
		theirs, err := cost(parse)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row{"decoding an alert of " + d.hook, perAlert(ours, alerts), "parsing alone " + perAlert(theirs, alerts), ratio(ours.NsPerOp(), theirs.NsPerOp()), ""})
	}
	return rows, nil
}

// cost measures one call of do.
func cost(do func() error) (testing.BenchmarkResult, error) {
	var err error
	r := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if e := do(); e != nil {
				err = e
			}
		}
	})
	return r, err
}

func perAlert(r testing.BenchmarkResult, alerts int) string {
	n := int64(alerts)
	return fmt.Sprintf("%.1f µs, %d allocations", float64(r.NsPerOp())/float64(n)/1e3, r.AllocsPerOp()/n)
}
