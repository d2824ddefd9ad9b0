package lag

import (
	"cmp"
	"log/slog"
	"slices"
	"time"

	"tocsin/pkg/metrics"
)

// maxMetricSeries bounds the series of a metric. The topics with the largest lag are
// kept.
const maxMetricSeries = 10_000

// Metrics are the metrics of polls. The methods of a nil pointer do nothing.
type Metrics struct {
	now        func() time.Time
	lag, delay *metrics.Gauge
	duration   *metrics.Histogram
	failures   *metrics.Counter
}

// NewMetrics returns the metrics in r. now is the clock that polls are timed with.
func NewMetrics(r *metrics.Registry, now func() time.Time) *Metrics {
	topic := []string{"cluster", "consumer_group", "topic"}
	return &Metrics{
		now:      now,
		lag:      r.Gauge("tocsin_consumer_lag_messages", "Number of messages that the group has not read, in the partitions whose lag is known, at the last poll.", topic...),
		delay:    r.Gauge("tocsin_consumer_delay_seconds", "Least age of the oldest message that the group has not read, at the last poll; 0 if it has read all.", topic...),
		duration: r.Histogram("tocsin_poll_duration_seconds", "The time that reading a cluster took.", []float64{0.1, 0.5, 1, 2.5, 5, 10, 20, 40}, "cluster"),
		failures: r.Counter("tocsin_poll_failures_total", "Number of polls in which the cluster or a group of it could not be read.", "cluster"),
	}
}

// startPoll starts the time of a poll, which ends when the function is called.
func (m *Metrics) startPoll(cluster string) (finish func()) {
	if m == nil {
		return func() {}
	}
	begin := m.now()
	return func() { m.duration.Observe(m.now().Sub(begin).Seconds(), cluster) }
}

// topicSample is a topic in the metrics.
type topicSample struct {
	labels []string
	lag    int64
	delay  time.Duration // unknownValue if it is not known
}

// record exports the result of polling all clusters. What could not be read has no
// series, because its lag is not known.
func (m *Metrics) record(cfg *Config, polls []clusterPoll, now time.Time, log *slog.Logger) {
	if m == nil {
		return
	}
	var topics []topicSample
	for i := range polls {
		p := &polls[i]
		failed := 0.0
		if p.fatal != nil || p.err != nil || p.groupsRead() < len(p.snap.Groups) || p.snap.Err != nil {
			failed = 1
		}
		m.failures.Add(failed, p.cluster)
		if p.snap != nil && p.err == nil && cfg.exportsLag() {
			topics = append(topics, p.topicSamples(cfg.evaluator(p.cluster, ""), now)...)
		}
	}
	if len(topics) > maxMetricSeries {
		log.Warn("too many topics for metrics, those with the least lag are left out; restrict lag.clusters[].groups, or set lag.metrics to false", "topics", len(topics), "limit", maxMetricSeries)
		slices.SortStableFunc(topics, func(a, b topicSample) int { return cmp.Compare(b.lag, a.lag) })
		topics = topics[:maxMetricSeries]
	}
	var lags, delays []metrics.Sample
	for _, t := range topics {
		lags = append(lags, metrics.Sample{Value: float64(t.lag), Labels: t.labels})
		if t.delay >= 0 {
			delays = append(delays, metrics.Sample{Value: t.delay.Seconds(), Labels: t.labels})
		}
	}
	m.lag.Replace(lags)
	m.delay.Replace(delays)
}

// topicSamples returns the topics whose lag is known.
func (p *clusterPoll) topicSamples(e *Evaluator, now time.Time) (samples []topicSample) {
	for i := range p.snap.Groups {
		g := &p.snap.Groups[i]
		for t := range g.Topics {
			in := e.input(p.snap, now, g, &g.Topics[t], &topicView{lagSum: sumLag(g.Topics[t].Partitions)})
			if in.known > 0 && !in.topic.Unsubscribed {
				samples = append(samples, topicSample{[]string{p.cluster, g.Name, in.topic.Name}, in.lag, in.delay()})
			}
		}
	}
	return samples
}

// delay returns the least age of the oldest unread message in the partitions whose lag is
// known, as it was queried or else by the window, and a negative one if it is not known.
func (in *ruleInput) delay() time.Duration {
	oldest := time.Duration(0)
	for i := range in.topic.Partitions {
		p := &in.topic.Partitions[i]
		if !p.Known || p.Lag <= p.allowed(in.allowedLag) {
			continue
		}
		var age Age
		if p.Age != nil {
			age = *p.Age
		}
		if !age.Known && in.snap.Trend != nil {
			age.AtLeast, _, age.Known = in.snap.Trend.Age(in.topic.Name, p.ID, max(p.Committed, p.Start)+p.allowed(in.allowedLag), in.now)
		}
		if !age.Known {
			return -1
		}
		oldest = max(oldest, age.AtLeast)
	}
	return oldest
}
