package lag

import (
	"maps"
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
)

// Rule fires an alert for each topic of a group in which all of its conditions are
// met; one with By, State, MembersBelow or Required for each group. It has at least one of MaxLag, MaxPartitionLag, MaxDelay, Status, GrowingFor,
// Lost, State, MembersBelow and Required.
type Rule struct {
	// Alert is the value of the label alertname.
	Alert string `yaml:"alert"`
	Match Match  `yaml:"match,omitempty"`
	// MaxLag is met when the lag, in messages summed over the topic's partitions,
	// is greater.
	MaxLag *int64 `yaml:"max_lag,omitempty"`
	// MaxPartitionLag is met when the lag of a partition, in messages, is greater.
	MaxPartitionLag *int64 `yaml:"max_partition_lag,omitempty"`
	// MaxDelay is met when the oldest unread message of a partition is older.
	MaxDelay setting.Duration `yaml:"max_delay,omitempty"`
	// DelaySource is the only source of the age for MaxDelay; by default timestamps are
	// used, and the history where they are not known.
	DelaySource DelaySource `yaml:"delay_source,omitempty"`
	// Status is met when a partition is in one of these states: trend.Stalled,
	// Stopped, Ahead, HungTransaction, Rewind or Growing.
	Status []trend.State `yaml:"status,omitempty"`
	// GrowingFor is met when the lag of the topic has been growing for at least
	// this long.
	GrowingFor setting.Duration `yaml:"growing_for,omitempty"`
	// Lost is met when messages were deleted before the group read them.
	Lost bool `yaml:"lost,omitempty"`
	// By is ByGroup for MaxLag of the sum over all topics of a group.
	By string `yaml:"by,omitempty"`
	// State is met while a group is in one of these states.
	State []GroupState `yaml:"state,omitempty"`
	// MembersBelow is met while a group has fewer members.
	MembersBelow int `yaml:"members_below,omitempty"`
	// Required is met while the group that Match names does not exist.
	Required bool `yaml:"required,omitempty"`
	// AllowedLag replaces that of the cluster.
	AllowedLag *int64 `yaml:"allowed_lag,omitempty"`
	// For is how long the conditions must be met before the alert fires. With Status
	// alone it counts from PartitionStatus.Since, which may be before the poll that
	// found the status.
	For setting.Duration `yaml:"for,omitempty"`
	// ClearBelow keeps a firing alert until the lag is lower; without it, the
	// alert resolves when the lag is at most MaxLag.
	ClearBelow *int64 `yaml:"clear_below,omitempty"`
	// ClearBelowDelay does the same for MaxDelay: it keeps a firing alert until no
	// unread message is older.
	ClearBelowDelay setting.Duration `yaml:"clear_below_delay,omitempty"`
	// Labels are added to the alert. Their templates may use $labels only.
	Labels map[string]setting.Template `yaml:"labels,omitempty"`
	// Annotations are added to the built-in ones; summary and description replace
	// them. Their templates may use TemplateData.
	Annotations map[string]setting.Template `yaml:"annotations,omitempty"`
}

// DefaultRules returns the rules of a configuration without any. They need no
// thresholds: they fire for consumers that have unread messages and have committed
// nothing for five minutes or have a commit beyond the log end, for transactions that are never ended, and at once for messages that were deleted unread.
//
// Stalled and stopped are one condition, because a consumer that restarts in a loop
// alternates between them.
func DefaultRules() []Rule {
	const forDuration = setting.Duration(5 * time.Minute)
	// Brokers abort transactions after 15 minutes at most (transaction.max.timeout.ms).
	const hungFor = setting.Duration(16 * time.Minute)
	return []Rule{
		{Alert: alert.ConsumerStuckAlert, Status: []trend.State{trend.Stalled, trend.Stopped, trend.Ahead}, For: forDuration, Labels: severity(alert.SeverityWarning)},
		{Alert: alert.TransactionHungAlert, Status: []trend.State{trend.HungTransaction}, For: hungFor, Labels: severity(alert.SeverityWarning)},
		{Alert: alert.MessagesLostAlert, Lost: true, Labels: severity(alert.SeverityCritical)},
	}
}

func severity(s string) map[string]setting.Template {
	return map[string]setting.Template{alert.SeverityLabel: setting.Constant(s)}
}

// Match selects the topics of a rule; a missing pattern matches everything.
type Match struct {
	Cluster       setting.Pattern `yaml:"cluster,omitempty"`
	ConsumerGroup setting.Pattern `yaml:"consumer_group,omitempty"`
	Topic         setting.Pattern `yaml:"topic,omitempty"`
}

// maxGrowingFor is how far back a trend.Window keeps the lag of a topic.
const maxGrowingFor = 3 * time.Hour

// ruleStates are the values of Rule.Status.
var ruleStates = []trend.State{trend.Stalled, trend.Stopped, trend.Ahead, trend.HungTransaction, trend.Rewind, trend.Growing}

func (r *Rule) validate(f *setting.Faults) {
	if r.Alert == "" {
		f.Addf("alert", "is missing: it is the name of the alert, such as KafkaConsumerLag")
	}
	if !r.hasCondition() {
		f.Addf("max_lag", "is missing: it is the number of messages above which the alert fires; or give max_partition_lag, max_delay, status, growing_for or lost")
	}
	r.validateLag(f)
	r.validateGroups(f)
	if r.MaxPartitionLag != nil && *r.MaxPartitionLag < 0 {
		f.Addf("max_partition_lag", "must be 0 or more, not %d", *r.MaxPartitionLag)
	}
	validateAllowedLag(f, r.AllowedLag)
	switch {
	case r.DelaySource == "":
	case r.DelaySource != FromTimestamps && r.DelaySource != FromHistory:
		f.Addf("delay_source", "%q is neither %s nor %s", string(r.DelaySource), FromTimestamps, FromHistory)
	case r.MaxDelay == 0 && r.hasCondition():
		f.Addf("max_delay", "is missing: delay_source is for rules with it")
	}
	switch {
	case r.ClearBelowDelay == 0 || !r.hasCondition():
	case r.MaxDelay == 0:
		f.Addf("max_delay", "is missing: clear_below_delay is for rules with it")
	case r.ClearBelowDelay > r.MaxDelay:
		f.Addf("clear_below_delay", "must not be greater than max_delay (%v), not %v", r.MaxDelay, r.ClearBelowDelay)
	}
	if r.GrowingFor.Std() > maxGrowingFor {
		f.Addf("growing_for", "must not be longer than %v, which is how far the history goes back", setting.Duration(maxGrowingFor))
	}
	for i, s := range r.Status {
		if !slices.Contains(ruleStates, s) {
			f.In("status", i).Addf("", "%q is not one of stalled, stopped, ahead, hung_transaction, rewind, growing", string(s))
		}
	}
	if stalled := slices.Contains(r.Status, trend.Stalled); r.For > 0 && stalled != slices.Contains(r.Status, trend.Stopped) {
		f.Warnf("status", "a consumer that restarts in a loop alternates between stalled and stopped: with only one of them, for may never pass")
	}
	r.validateTemplates(f.In("labels"), r.Labels, labelData{sampleData().Labels}, reservedLabels,
		"labels identify the alert, so they may use $labels only")
	r.validateTemplates(f.In("annotations"), r.Annotations, sampleData(), reservedAnnotations,
		"an annotation may use $labels, $value, "+templateFields)
}

func (r *Rule) validateLag(f *setting.Faults) {
	switch {
	case r.MaxLag == nil && r.ClearBelow != nil && r.hasCondition():
		f.Addf("max_lag", "is missing: clear_below is for rules with it")
	case r.MaxLag == nil:
	case *r.MaxLag < 0:
		f.Addf("max_lag", "must be 0 or more, not %d", *r.MaxLag)
	case r.ClearBelow == nil:
	case *r.ClearBelow < 1:
		f.Addf("clear_below", "must be 1 or more, not %d: lag is never below 0, and the alert would never end", *r.ClearBelow)
	case *r.ClearBelow > *r.MaxLag:
		f.Addf("clear_below", "must not be greater than max_lag (%d), not %d", *r.MaxLag, *r.ClearBelow)
	}
}

// hasCondition reports whether the rule has a condition.
func (r *Rule) hasCondition() bool {
	return r.MaxLag != nil || len(r.otherConditions()) > 0 || r.needsDescription()
}

// matches reports whether the rule applies to a topic of a group.
func (r *Rule) matches(group, topic string) bool {
	return r.Match.ConsumerGroup.Match(group) && r.Match.Topic.Match(topic)
}

var (
	reservedLabels      = []string{alert.NameLabel, alert.ClusterLabel, alert.GroupLabel, alert.TopicLabel}
	reservedAnnotations = []string{
		alert.LagAnnotation, alert.ThresholdAnnotation, alert.PartitionsAnnotation, alert.MembersAnnotation, alert.UnknownPartitionsAnnotation,
		alert.DelayAnnotation, alert.DelaySourceAnnotation, alert.StatusAnnotation, alert.GrowingForAnnotation, alert.LostAnnotation,
		alert.RateInAnnotation, alert.RateOutAnnotation, alert.DrainAnnotation, alert.LagHistoryAnnotation, alert.SourceAnnotation,
	}
)

func (r *Rule) validateTemplates(f *setting.Faults, templates map[string]setting.Template, data any, reserved []string, allowed string) {
	for _, key := range sortedKeys(templates) {
		switch {
		case !model.LegacyValidation.IsValidLabelName(key):
			f.Addf(key, "is not a name: use letters, digits and _, with a letter or _ first")
		case slices.Contains(reserved, key):
			f.Addf(key, "is set by Tocsin: choose another name")
		}
		if _, err := templates[key].Execute(data); err != nil {
			f.Addf(key, "%v: %s", err, allowed)
		}
	}
}

// id returns the identity of the rule.
func (r *Rule) id() RuleID {
	id := RuleID{
		Alert:   r.Alert,
		Cluster: r.Match.Cluster.String(), ConsumerGroup: r.Match.ConsumerGroup.String(), Topic: r.Match.Topic.String(),
	}
	for name, text := range r.Labels {
		if id.Labels == nil {
			id.Labels = map[string]string{}
		}
		id.Labels[name] = text.String()
	}
	return id
}

// TemplateData is the data of annotation templates.
type TemplateData struct {
	// Labels are the alert's, including the rule's: $labels.
	Labels alert.Labels
	// Value is the lag: $value.
	Value setting.Value
	// Lag and Threshold are in messages; Threshold is max_lag, 0 without one.
	Lag, Threshold int64
	// Partitions are the partitions with the highest lag, at most five, highest
	// first.
	Partitions []Partition
	// UnknownPartitions is the number of partitions not counted in Lag.
	UnknownPartitions int
	// Members are those to which the Partitions are assigned, as far as the group was
	// described.
	Members []Holder
	// Delay is the least age of the oldest unread message; 0 while unknown.
	Delay setting.Duration
	// DelaySource is where Delay is from: timestamps or history.
	DelaySource string
	// Status is the worst state of a partition: ok, growing, rewind,
	// hung_transaction, ahead, stalled or stopped; "" while unknown.
	Status string
	// GrowingFor is how long the lag has been growing.
	GrowingFor setting.Duration
	// Lost is the number of messages that were deleted unread.
	Lost int64
	// RateIn and RateOut are the messages produced and consumed per second; NaN
	// while unknown.
	RateIn, RateOut float64
	// Drain is how long it takes at these rates until the group has caught up:
	// "12m" or "never"; "" while unknown.
	Drain string
}

// labelData is the data of label templates, and of annotations of an alert that
// ended without a current lag.
type labelData struct{ Labels alert.Labels }

// sampleData returns data with which templates are validated.
func sampleData() TemplateData {
	return TemplateData{
		Labels: alert.Labels{alert.NameLabel: "Lag", alert.ClusterLabel: "c", alert.GroupLabel: "g", alert.TopicLabel: "t"},
		Value:  2001, Lag: 2001, Threshold: 2000, UnknownPartitions: 1,
		Members:    []Holder{{ClientID: "orders-1", Host: "10.0.0.7", Partitions: []int32{0}}},
		Partitions: []Partition{{ID: 0, Committed: 1000, End: 3001, Lag: 2001, Known: true}},
		Delay:      setting.Duration(12 * time.Minute), DelaySource: alert.DelayFromTimestamps, Status: "growing", GrowingFor: setting.Duration(time.Minute),
		Lost: 1, RateIn: 20, RateOut: 10.5, Drain: "never",
	}
}

// templateFields lists the fields of TemplateData for error messages.
const templateFields = ".Lag, .Threshold, .Partitions, .Members, .UnknownPartitions, .Delay, .DelaySource, .Status, .GrowingFor, .Lost, .RateIn, .RateOut and .Drain"

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
