package lag

import (
	"slices"
	"time"

	"github.com/prometheus/common/model"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// DefaultInterval is how often serve and dev poll unless told otherwise.
const DefaultInterval = time.Minute

// maxName bounds the name of a cluster, in bytes: it is part of a store's key.
const maxName = 255

// Config is the part `lag` of the configuration.
type Config struct {
	// Interval is the time between polls in serve and dev; zero means
	// DefaultInterval. On a platform the timer trigger decides.
	Interval setting.Duration `yaml:"interval,omitempty"`
	Clusters []Cluster        `yaml:"clusters,omitempty"`
	Rules    []Rule           `yaml:"rules,omitempty"`
}

// Every is the interval, or its default.
func (c *Config) Every() time.Duration {
	if c.Interval <= 0 {
		return DefaultInterval
	}
	return c.Interval.Std()
}

// Cluster is one Kafka whose consumer groups are watched.
type Cluster struct {
	// Name is the value of the label cluster. State is kept under it: a cluster
	// with another name is another cluster.
	Name   string  `yaml:"name"`
	CKafka *CKafka `yaml:"ckafka,omitempty"`
	Kafka  *Kafka  `yaml:"kafka,omitempty"`
	// Groups and Topics choose what is read. What they leave out is, to the
	// rules, not there.
	Groups Filter `yaml:"groups,omitempty"`
	Topics Filter `yaml:"topics,omitempty"`
}

// Rule is when lag becomes an alert.
type Rule struct {
	// Alert is the value of the label alertname.
	Alert string `yaml:"alert"`
	Match Match  `yaml:"match,omitempty"`
	// MaxLag is in messages, summed over a topic's partitions. The alert fires
	// when the lag is greater.
	MaxLag *int64 `yaml:"max_lag"`
	// For is how long the lag must be greater before the alert fires.
	For setting.Duration `yaml:"for,omitempty"`
	// ClearBelow, if set, keeps a firing alert until the lag is smaller than
	// this; otherwise it ends when the lag is no longer greater than MaxLag.
	ClearBelow *int64 `yaml:"clear_below,omitempty"`
	// Labels are added to the alert. They may use $labels only.
	Labels map[string]Template `yaml:"labels,omitempty"`
	// Annotations replace the built-in summary and description, or are added.
	Annotations map[string]Template `yaml:"annotations,omitempty"`
}

// Match is what a rule is for; a pattern that is not given matches everything.
type Match struct {
	Cluster       setting.Pattern `yaml:"cluster,omitempty"`
	ConsumerGroup setting.Pattern `yaml:"consumer_group,omitempty"`
	Topic         setting.Pattern `yaml:"topic,omitempty"`
}

// Validate adds what is wrong with c to f.
func (c *Config) Validate(f *setting.Faults) {
	seen := map[string]bool{}
	for i := range c.Clusters {
		cl, f := &c.Clusters[i], f.In("clusters", i)
		switch {
		case cl.Name == "":
			f.Addf("name", "is missing: it becomes the label %q of the cluster's alerts", clusterLabel)
		case len(cl.Name) > maxName:
			f.Addf("name", "has %d bytes: use at most %d", len(cl.Name), maxName)
		case seen[cl.Name]:
			f.Addf("name", "%q is taken by another cluster: names must differ", cl.Name)
		}
		seen[cl.Name] = true
		switch {
		case cl.CKafka == nil && cl.Kafka == nil:
			f.Addf("ckafka", "is missing: it says where the cluster is")
		case cl.CKafka != nil && cl.Kafka != nil:
			f.Addf("kafka", "is given beside ckafka: keep one of them")
		}
		if cl.CKafka != nil {
			cl.CKafka.Validate(f.In("ckafka"))
		}
		if cl.Kafka != nil {
			cl.Kafka.Validate(f.In("kafka"))
		}
	}
	for i := range c.Rules {
		c.Rules[i].validate(f.In("rules", i))
		matches := func(cl Cluster) bool { return c.Rules[i].Match.Cluster.Match(cl.Name) }
		if len(c.Clusters) > 0 && !slices.ContainsFunc(c.Clusters, matches) {
			f.In("rules", i, "match").Warnf("cluster", "%q is the name of none of the clusters", c.Rules[i].Match.Cluster)
		}
	}
	if len(c.Clusters) > 0 && len(c.Rules) == 0 {
		f.Warnf("rules", "is missing: without a rule, lag is read and nothing is ever said about it")
	}
}

func (r *Rule) validate(f *setting.Faults) {
	if r.Alert == "" {
		f.Addf("alert", "is missing: it is the name of the alert, such as KafkaConsumerLag")
	}
	switch {
	case r.MaxLag == nil:
		f.Addf("max_lag", "is missing: it is the number of messages above which the alert fires")
	case *r.MaxLag < 0:
		f.Addf("max_lag", "must be 0 or more, not %d", *r.MaxLag)
	case r.ClearBelow == nil:
	case *r.ClearBelow < 1:
		f.Addf("clear_below", "must be 1 or more, not %d: lag is never below 0, and the alert would never end", *r.ClearBelow)
	case *r.ClearBelow > *r.MaxLag:
		f.Addf("clear_below", "must not be greater than max_lag (%d), not %d", *r.MaxLag, *r.ClearBelow)
	}
	r.validateTexts(f.In("labels"), r.Labels, sampleLabels, reservedLabels,
		"labels are what the alert is, so they may use $labels only")
	r.validateTexts(f.In("annotations"), r.Annotations, sample, reservedAnnotations,
		"an annotation may use $labels, $value, .Lag, .Threshold, .Partitions and .UnknownPartitions")
}

var (
	reservedLabels      = []string{alert.NameLabel, clusterLabel, groupLabel, topicLabel}
	reservedAnnotations = []string{lagAnnotation, thresholdAnnotation, partitionsAnnotation, unknownAnnotation}
)

func (r *Rule) validateTexts(f *setting.Faults, texts map[string]Template, data any, reserved []string, allowed string) {
	for _, key := range sortedKeys(texts) {
		switch {
		case !model.LegacyValidation.IsValidLabelName(key):
			f.Addf(key, "is not a name: use letters, digits and _, with a letter or _ first")
		case slices.Contains(reserved, key):
			f.Addf(key, "is set by Tocsin: choose another name")
		}
		if _, err := texts[key].execute(data); err != nil {
			f.Addf(key, "%v: %s", err, allowed)
		}
	}
}
