package main

import (
	"bytes"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/common/expfmt"
)

// newProcessMetrics returns the text of the metrics process_* and go_*, as the client
// library of Prometheus collects them. Functions do without them and without the time
// that the library takes to start (see pkg/metrics).
func newProcessMetrics() func() []byte {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return func() []byte {
		families, _ := registry.Gather() // what the system does not provide is missing
		var text bytes.Buffer
		for _, f := range families {
			_, _ = expfmt.MetricFamilyToText(&text, f) // a buffer does not fail
		}
		return text.Bytes()
	}
}
