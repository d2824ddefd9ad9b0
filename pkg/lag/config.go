package lag

import (
	"slices"
	"time"

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
	// Rules are DefaultRules when there are none.
	Rules []Rule `yaml:"rules,omitempty"`
	// AllowedLag is how many unread messages of a partition count as none where
	// time, status and growth are judged; nil means DefaultAllowedLag.
	AllowedLag *int64 `yaml:"allowed_lag,omitempty"`
	// Burrow tells the status of a consumer as LinkedIn's Burrow does, false
	// alarms included.
	Burrow bool `yaml:"burrow,omitempty"`
}

// DefaultAllowedLag is one message for each partition: in a topic with
// transactions a group that has read everything stays behind by the marker at
// the end, which nobody reads.
const DefaultAllowedLag = 1

// Every is the interval, or its default.
func (c *Config) PollInterval() time.Duration {
	if c.Interval <= 0 {
		return DefaultInterval
	}
	return c.Interval.Std()
}

// judge returns the judge of a cluster, with the rules that are for it.
func (c *Config) judge(cluster, language string) *Evaluator {
	rules := c.Rules
	if len(rules) == 0 {
		rules = DefaultRules()
	}
	j := NewEvaluator(rules, cluster, language)
	j.burrow = c.Burrow
	if c.AllowedLag != nil {
		j.allowed = *c.AllowedLag
	}
	return j
}

// Cluster is one Kafka whose consumer groups are watched.
type Cluster struct {
	// Name is the value of the label cluster. State is kept under it: a cluster
	// with another name is another cluster.
	Name string `yaml:"name"`
	// CKafka and Kafka are the two ways to read it. With both, it is read by
	// Kafka's protocol, and through the API while that cannot be reached.
	CKafka *CKafka `yaml:"ckafka,omitempty"`
	Kafka  *Kafka  `yaml:"kafka,omitempty"`
	// Groups and Topics choose what is read. What they leave out is, to the
	// rules, not there.
	Groups Filter `yaml:"groups,omitempty"`
	Topics Filter `yaml:"topics,omitempty"`
}

// Validate adds what is wrong with c to f.
func (c *Config) Validate(f *setting.Faults) {
	seen := map[string]bool{}
	for i := range c.Clusters {
		cl, f := &c.Clusters[i], f.In("clusters", i)
		switch {
		case cl.Name == "":
			f.Addf("name", "is missing: it becomes the label %q of the cluster's alerts", alert.ClusterLabel)
		case len(cl.Name) > maxName:
			f.Addf("name", "has %d bytes: use at most %d", len(cl.Name), maxName)
		case seen[cl.Name]:
			f.Addf("name", "%q is taken by another cluster: names must differ", cl.Name)
		}
		seen[cl.Name] = true
		if cl.CKafka == nil && cl.Kafka == nil {
			f.Addf("ckafka", "is missing: it says where the cluster is")
		}
		if cl.CKafka != nil {
			cl.CKafka.Validate(f.In("ckafka"))
		}
		if cl.Kafka != nil {
			cl.Kafka.Validate(f.In("kafka"))
		}
	}
	if c.AllowedLag != nil && *c.AllowedLag < 0 {
		f.Addf("allowed_lag", "must be 0 or more, not %d", *c.AllowedLag)
	}
	for i := range c.Rules {
		c.Rules[i].validate(f.In("rules", i))
		matches := func(cl Cluster) bool { return c.Rules[i].Match.Cluster.Match(cl.Name) }
		if len(c.Clusters) > 0 && !slices.ContainsFunc(c.Clusters, matches) {
			f.In("rules", i, "match").Warnf("cluster", "%q is the name of none of the clusters", c.Rules[i].Match.Cluster)
		}
	}
}
