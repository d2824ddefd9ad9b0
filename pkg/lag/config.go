package lag

import (
	"regexp/syntax"
	"slices"
	"time"

	"tocsin/pkg/alert"
	"tocsin/pkg/setting"
)

// DefaultInterval is the time between polls in serve and dev unless configured.
const DefaultInterval = time.Minute

// maxName bounds the name of a cluster, in bytes: it is part of a store's key.
const maxName = 255

// DefaultAllowedLag is one message for each partition: in a topic with
// transactions the marker at the end stays unread, which no consumer reads.
const DefaultAllowedLag = 1

// Config is the section `lag` of the configuration.
type Config struct {
	// Interval is the time between polls in serve and dev; zero means
	// DefaultInterval. On a platform the timer trigger decides.
	Interval setting.Duration `yaml:"interval,omitempty"`
	Clusters []Cluster        `yaml:"clusters,omitempty"`
	// Rules default to DefaultRules.
	Rules []Rule `yaml:"rules,omitempty"`
	// AllowedLag is how many unread messages of a partition count as none in the
	// conditions max_delay, status, growing_for and lost; nil means DefaultAllowedLag.
	// Clusters and rules may replace it.
	AllowedLag *int64 `yaml:"allowed_lag,omitempty"`
	// Metrics exports the lag and the delay of every topic; default true.
	Metrics *bool `yaml:"metrics,omitempty"`
	// Burrow evaluates the status of consumers as LinkedIn's Burrow does, false
	// alarms included.
	Burrow bool `yaml:"burrow,omitempty"`
}

// PollInterval returns Interval or its default.
func (c *Config) PollInterval() time.Duration {
	if c.Interval <= 0 {
		return DefaultInterval
	}
	return c.Interval.Std()
}

// exportsLag returns Metrics or its default.
func (c *Config) exportsLag() bool { return c.Metrics == nil || *c.Metrics }

// evaluator returns the Evaluator of a cluster, with the rules that match it.
func (c *Config) evaluator(cluster, language string) *Evaluator {
	rules := c.Rules
	if len(rules) == 0 {
		rules = DefaultRules()
	}
	e := NewEvaluator(rules, cluster, language)
	e.burrow = c.Burrow
	e.filter, _ = c.filters(cluster)
	if c.AllowedLag != nil {
		e.allowedLag = *c.AllowedLag
	}
	for _, cl := range c.Clusters {
		if cl.Name == cluster && cl.AllowedLag != nil {
			e.allowedLag = *cl.AllowedLag
		}
	}
	return e
}

// Cluster is one Kafka cluster to monitor.
type Cluster struct {
	// Name is the value of the label cluster and the key of the stored state:
	// renaming a cluster starts a new one.
	Name string `yaml:"name"`
	// CKafka and Kafka are the two ways to read it. With both, it is read by
	// Kafka's protocol, and through the API while that fails.
	CKafka *CKafka `yaml:"ckafka,omitempty"`
	Kafka  *Kafka  `yaml:"kafka,omitempty"`
	// AllowedLag replaces Config.AllowedLag in the cluster.
	AllowedLag *int64 `yaml:"allowed_lag,omitempty"`
	// Groups and Topics select the groups and topics to read. To the rules, all
	// others do not exist.
	Groups Filter `yaml:"groups,omitempty"`
	Topics Filter `yaml:"topics,omitempty"`
}

// Validate adds the errors of c to f.
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
		validateAllowedLag(f, cl.AllowedLag)
		if cl.CKafka == nil && cl.Kafka == nil {
			f.Addf("ckafka", "is missing: configure the way to read the cluster, ckafka or kafka")
		}
		if cl.CKafka != nil {
			cl.CKafka.Validate(f.In("ckafka"))
		}
		if cl.Kafka != nil {
			cl.Kafka.Validate(f.In("kafka"))
		}
	}
	validateAllowedLag(f, c.AllowedLag)
	c.warnUndetectedLoss(f)
	for i := range c.Rules {
		c.Rules[i].validate(f.In("rules", i))
		c.warnUnwatchedGroup(f.In("rules", i), &c.Rules[i])
		matches := func(cl Cluster) bool { return c.Rules[i].Match.Cluster.Match(cl.Name) }
		if len(c.Clusters) > 0 && !slices.ContainsFunc(c.Clusters, matches) {
			f.In("rules", i, "match").Warnf("cluster", "%q is the name of none of the clusters", c.Rules[i].Match.Cluster)
		}
	}
}

// warnUndetectedLoss warns of clusters with rules about lost messages that are read
// through the API only.
func (c *Config) warnUndetectedLoss(f *setting.Faults) {
	rules := c.Rules
	if len(rules) == 0 {
		rules = DefaultRules()
	}
	for i, cl := range c.Clusters {
		applies := func(r Rule) bool { return r.Lost && r.Match.Cluster.Match(cl.Name) }
		if cl.CKafka != nil && cl.Kafka == nil && slices.ContainsFunc(rules, applies) {
			f.In("clusters", i).Warnf("ckafka", "the API does not report deleted messages, so lost never fires for this cluster: add kafka if its network can be reached, or rules without lost")
		}
	}
}

// filters returns the filters of a cluster.
func (c *Config) filters(cluster string) (groups, topics Filter) {
	for i := range c.Clusters {
		if c.Clusters[i].Name == cluster {
			return c.Clusters[i].Groups, c.Clusters[i].Topics
		}
	}
	return Filter{}, Filter{}
}

func validateAllowedLag(f *setting.Faults, allowed *int64) {
	if allowed != nil && *allowed < 0 {
		f.Addf("allowed_lag", "must be 0 or more, not %d", *allowed)
	}
}

// Filter selects names: those that a pattern of Include matches and none of
// Exclude. Without Include it selects all but Exclude.
type Filter struct {
	Include []setting.Pattern `yaml:"include,omitempty"`
	Exclude []setting.Pattern `yaml:"exclude,omitempty"`
}

// Match reports whether name is selected.
func (f Filter) Match(name string) bool {
	match := func(p setting.Pattern) bool { return p.Match(name) }
	return (len(f.Include) == 0 || slices.ContainsFunc(f.Include, match)) && !slices.ContainsFunc(f.Exclude, match)
}

// Literals returns the selected names, each once, when every pattern of Include is
// a literal name, so that existing names need not be listed. Otherwise ok is false.
func (f Filter) Literals() (names []string, ok bool) {
	for _, p := range f.Include {
		name, ok := literal(p.String())
		if !ok {
			return nil, false
		}
		if f.Match(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, len(f.Include) > 0
}

// literal returns the only text that an expression matches, if there is one.
func literal(expr string) (string, bool) {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil || re.Op != syntax.OpLiteral || re.Flags&syntax.FoldCase != 0 {
		return "", false
	}
	return string(re.Rune), true
}
