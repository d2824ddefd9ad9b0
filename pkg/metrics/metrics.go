// Package metrics counts what happens and tells it in Prometheus's text format.
// It does what a client library does for counters, gauges and histograms with
// labels, at a hundredth of the weight.
package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
)

// Registry holds the metrics of a process. The zero value is empty and ready.
// All methods, and those of the metrics in it, may be called concurrently.
type Registry struct {
	mu       sync.Mutex
	families map[string]*family
}

// family is all series of one name.
type family struct {
	name, help, kind string
	labels           []string
	bounds           []float64 // of a histogram's buckets

	mu     sync.Mutex
	series map[string]*series
}

// series is the values of one set of label values.
type series struct {
	labels []string
	value  float64  // a histogram's sum
	counts []uint64 // a histogram's observations by bucket, those above all bounds last
}

// Counter is a number that only grows.
type Counter struct{ family *family }

// Counter returns the counter of that name; the first call makes it. By the
// conventions its name ends in _total.
func (r *Registry) Counter(name, help string, labels ...string) *Counter {
	return &Counter{r.family("counter", name, help, nil, labels)}
}

// Add adds n, which must not be negative, to the series with the label values,
// one for each of the counter's labels. Adding 0 makes the series visible.
func (c *Counter) Add(n float64, values ...string) {
	c.family.change(values, func(s *series) { s.value += n })
}

// Gauge is a number that says how things stand.
type Gauge struct{ family *family }

// Gauge returns the gauge of that name; the first call makes it.
func (r *Registry) Gauge(name, help string, labels ...string) *Gauge {
	return &Gauge{r.family("gauge", name, help, nil, labels)}
}

// Set sets the series with the label values, one for each of the gauge's labels.
func (g *Gauge) Set(v float64, values ...string) {
	g.family.change(values, func(s *series) { s.value = v })
}

// Histogram counts observations by their size.
type Histogram struct{ family *family }

// Histogram returns the histogram of that name; the first call makes it. Bounds
// are the upper ends of its buckets, ascending, without infinity.
func (r *Registry) Histogram(name, help string, bounds []float64, labels ...string) *Histogram {
	return &Histogram{r.family("histogram", name, help, bounds, labels)}
}

// Observe counts v in the series with the label values, one for each of the
// histogram's labels.
func (h *Histogram) Observe(v float64, values ...string) {
	bucket, _ := slices.BinarySearch(h.family.bounds, v) // a bound belongs to its bucket
	h.family.change(values, func(s *series) {
		s.value += v
		s.counts[bucket]++
	})
}

func (r *Registry) family(kind, name, help string, bounds []float64, labels []string) *family {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f, ok := r.families[name]; ok {
		return f
	}
	if r.families == nil {
		r.families = map[string]*family{}
	}
	f := &family{name: name, help: help, kind: kind, labels: labels, bounds: bounds, series: map[string]*series{}}
	r.families[name] = f
	return f
}

func (f *family) change(values []string, do func(*series)) {
	key := strings.Join(values, "\xff")
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.series[key]
	if s == nil {
		s = &series{labels: slices.Clone(values)}
		if f.kind == "histogram" {
			s.counts = make([]uint64, len(f.bounds)+1)
		}
		f.series[key] = s
	}
	do(s)
}

// sorted returns the families in order of their names.
func (r *Registry) sorted() []*family {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.families), func(a, b *family) int { return strings.Compare(a.name, b.name) })
}
