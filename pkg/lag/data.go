package lag

import (
	"maps"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// Data is what an annotation may use.
type TemplateData struct {
	// Labels are those of the alert, with the rule's: $labels.
	Labels alert.Labels
	// Value is the lag: $value.
	Value setting.Value
	// Lag and Threshold are in messages; Threshold is max_lag, 0 without it.
	Lag, Threshold int64
	// Partitions are those furthest behind, at most five, worst first.
	Partitions []Partition
	// UnknownPartitions is how many partitions are left out of the lag.
	UnknownPartitions int
	// Delay is the age of the oldest unread message, at least; 0 while unknown.
	Delay setting.Duration
	// Status is the worst state of a partition: ok, growing, rewind, stalled or
	// stopped; "" while unknown.
	Status string
	// GrowingFor is for how long the lag has grown.
	GrowingFor setting.Duration
	// Lost is how many messages were deleted before the group had read them.
	Lost int64
	// RateIn and RateOut are messages per second that are produced and read; NaN
	// while unknown.
	RateIn, RateOut float64
	// Drain is how long it takes at these rates until all is read: "12m" or
	// "never"; "" while unknown.
	Drain string
}

// labelData is what a label may use, and an annotation of an alert whose topic
// is gone: there is no value to speak of.
type labelData struct{ Labels alert.Labels }

// sample is what templates are tried on when they are loaded.
func sample() TemplateData {
	return TemplateData{
		Labels: alert.Labels{alert.NameLabel: "Lag", alert.ClusterLabel: "c", alert.GroupLabel: "g", alert.TopicLabel: "t"},
		Value:  2001, Lag: 2001, Threshold: 2000, UnknownPartitions: 1,
		Partitions: []Partition{{ID: 0, Committed: 1000, End: 3001, Lag: 2001, Known: true}},
		Delay:      setting.Duration(12 * time.Minute), Status: "growing", GrowingFor: setting.Duration(time.Minute),
		Lost: 1, RateIn: 20, RateOut: 10.5, Drain: "never",
	}
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
