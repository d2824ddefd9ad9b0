package lag

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
	"tocsin/pkg/lag/trend"
	"tocsin/pkg/setting"
)

// Rule is when lag becomes an alert: when all of its conditions hold. It has one
// of MaxLag, MaxDelay, Status, GrowingFor and Lost at least.
type Rule struct {
	// Alert is the value of the label alertname.
	Alert string `yaml:"alert"`
	Match Match  `yaml:"match,omitempty"`
	// MaxLag is in messages, summed over a topic's partitions. It holds when the
	// lag is greater.
	MaxLag *int64 `yaml:"max_lag,omitempty"`
	// MaxDelay holds when the oldest unread message of one of the topic's
	// partitions is older.
	MaxDelay setting.Duration `yaml:"max_delay,omitempty"`
	// Status holds when one of the topic's partitions is in one of these states:
	// trend.Stalled, Stopped, Rewind or Growing.
	Status []trend.State `yaml:"status,omitempty"`
	// GrowingFor holds when the lag of the topic has not fallen, and has grown,
	// for so long.
	GrowingFor setting.Duration `yaml:"growing_for,omitempty"`
	// Lost holds when messages were deleted before the group had read them.
	Lost bool `yaml:"lost,omitempty"`
	// For is how long all of it must hold before the alert fires.
	For setting.Duration `yaml:"for,omitempty"`
	// ClearBelow, if set, keeps a firing alert until the lag is smaller than
	// this; otherwise MaxLag ends to hold when the lag is no longer greater.
	ClearBelow *int64 `yaml:"clear_below,omitempty"`
	// ClearBelowDelay is the same for MaxDelay: a firing alert stays until no
	// unread message is older than this.
	ClearBelowDelay setting.Duration `yaml:"clear_below_delay,omitempty"`
	// Labels are added to the alert. They may use $labels only.
	Labels map[string]setting.Template `yaml:"labels,omitempty"`
	// Annotations replace the built-in summary and description, or are added.
	Annotations map[string]setting.Template `yaml:"annotations,omitempty"`
}

// Match is what a rule is for; a pattern that is not given matches everything.
type Match struct {
	Cluster       setting.Pattern `yaml:"cluster,omitempty"`
	ConsumerGroup setting.Pattern `yaml:"consumer_group,omitempty"`
	Topic         setting.Pattern `yaml:"topic,omitempty"`
}

// longestGrowth is how far back a trend.Window knows a topic's lag.
const longestGrowth = 3 * time.Hour

// statuses are what Rule.Status may name.
var statuses = []trend.State{trend.Stalled, trend.Stopped, trend.Rewind, trend.Growing}

func (r *Rule) validate(f *setting.Faults) {
	if r.Alert == "" {
		f.Addf("alert", "is missing: it is the name of the alert, such as KafkaConsumerLag")
	}
	if !r.judges() {
		f.Addf("max_lag", "is missing: it is the number of messages above which the alert fires; or give max_delay, status, growing_for or lost")
	}
	r.validateLag(f)
	switch {
	case r.ClearBelowDelay == 0 || !r.judges():
	case r.MaxDelay == 0:
		f.Addf("max_delay", "is missing: clear_below_delay is for rules with it")
	case r.ClearBelowDelay > r.MaxDelay:
		f.Addf("clear_below_delay", "must not be greater than max_delay (%v), not %v", r.MaxDelay, r.ClearBelowDelay)
	}
	if r.GrowingFor.Std() > longestGrowth {
		f.Addf("growing_for", "must not be longer than %v, which is how far the history goes back", setting.Duration(longestGrowth))
	}
	for i, s := range r.Status {
		if !slices.Contains(statuses, s) {
			f.In("status", i).Addf("", "%q is not one of stalled, stopped, rewind, growing", string(s))
		}
	}
	r.validateTexts(f.In("labels"), r.Labels, labelData{sample().Labels}, reservedLabels,
		"labels are what the alert is, so they may use $labels only")
	r.validateTexts(f.In("annotations"), r.Annotations, sample(), reservedAnnotations,
		"an annotation may use $labels, $value, "+dataNames)
}

func (r *Rule) validateLag(f *setting.Faults) {
	switch {
	case r.MaxLag == nil && r.ClearBelow != nil && r.judges():
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

// judges tells that the rule has a condition.
func (r *Rule) judges() bool {
	return r.MaxLag != nil || r.MaxDelay > 0 || len(r.Status) > 0 || r.GrowingFor > 0 || r.Lost
}

// matches tells whether the rule is for a topic of a group.
func (r *Rule) matches(group, topic string) bool {
	return r.Match.ConsumerGroup.Match(group) && r.Match.Topic.Match(topic)
}

var (
	reservedLabels      = []string{alert.NameLabel, alert.ClusterLabel, alert.GroupLabel, alert.TopicLabel}
	reservedAnnotations = []string{
		alert.LagAnnotation, alert.ThresholdAnnotation, alert.PartitionsAnnotation, alert.UnknownPartitionsAnnotation,
		alert.DelayAnnotation, alert.StatusAnnotation, alert.GrowingForAnnotation, alert.LostAnnotation,
		alert.RateInAnnotation, alert.RateOutAnnotation, alert.DrainAnnotation, alert.LagHistoryAnnotation, alert.SourceAnnotation,
	}
)

func (r *Rule) validateTexts(f *setting.Faults, texts map[string]setting.Template, data any, reserved []string, allowed string) {
	for _, key := range sortedKeys(texts) {
		switch {
		case !model.LegacyValidation.IsValidLabelName(key):
			f.Addf(key, "is not a name: use letters, digits and _, with a letter or _ first")
		case slices.Contains(reserved, key):
			f.Addf(key, "is set by Tocsin: choose another name")
		}
		if _, err := texts[key].Execute(data); err != nil {
			f.Addf(key, "%v: %s", err, allowed)
		}
	}
}

// id is what makes the rule's alerts.
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

// dataNames are the fields of Data, for people.
const dataNames = ".Lag, .Threshold, .Partitions, .UnknownPartitions, .Delay, .Status, .GrowingFor, .Lost, .RateIn, .RateOut and .Drain"
