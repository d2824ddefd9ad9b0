package alert

// Labels that Tocsin sets on its own alerts, or reads on any alert.
const (
	NameLabel     = "alertname"
	SeverityLabel = "severity"
	JobLabel      = "job"
	InstanceLabel = "instance"

	ClusterLabel  = "cluster" // a Kafka cluster, by its name in the configuration
	GroupLabel    = "consumer_group"
	TopicLabel    = "topic"
	HostLabel     = "host"     // a host's id
	HostnameLabel = "hostname" // a host's name

	ServiceNameLabel = "service_name" // a service that a host collects, on a ServiceSilentAlert
)

// Annotations that any alert may have. They are text for people.
const (
	SummaryAnnotation     = "summary"
	DescriptionAnnotation = "description"
	MessageAnnotation     = "message" // Grafana's summary
	RunbookAnnotation     = "runbook_url"
	DashboardAnnotation   = "dashboard_url"
)

// TruncatedAnnotation is the number of alerts that Alertmanager or Grafana left out of
// the message with which the alert was received.
const TruncatedAnnotation = "truncated_alerts"

// EndedAnnotation is the reason of an end that is not a recovery.
const EndedAnnotation = "ended"

// Values of EndedAnnotation.
const (
	EndedExpired = "expired" // the source fell silent
	EndedChanged = "changed" // the rule was edited, paused or removed, or has no data
)

// Annotations of alerts about consumer lag. One that is not known, or has nothing
// to report, is left out.
const (
	LagAnnotation               = "lag"                // messages in the known partitions; a count
	ThresholdAnnotation         = "threshold"          // the limit of the rule: a count, of host alerts a number
	PartitionsAnnotation        = "partitions"         // the worst partitions; see FormatPartitions
	MembersAnnotation           = "members"            // who reads those partitions, as text for people
	UnknownPartitionsAnnotation = "unknown_partitions" // partitions not counted in the lag; a count
	DelayAnnotation             = "delay"              // least age of the oldest unread message; in seconds
	StatusAnnotation            = "status"             // a LagStatus
	GrowingForAnnotation        = "growing_for"        // how long the lag has been growing; in seconds
	LostAnnotation              = "lost"               // messages that were deleted unread; a count
	RateInAnnotation            = "rate_in"            // messages produced; a rate
	RateOutAnnotation           = "rate_out"           // messages consumed; a rate
	DrainAnnotation             = "drain"              // time until the group has caught up; see FormatDrain
	DelaySourceAnnotation       = "delay_source"       // DelayFromTimestamps or DelayFromHistory
	LagHistoryAnnotation        = "lag_history"        // a LagHistory
	SourceAnnotation            = "source"             // SourceKafka or SourceAPI
	PartialAnnotation           = "partial"            // "true" on a PollFailedAlert when only a part could not be read
)

// Annotations of alerts about hosts.
const (
	AddressAnnotation    = "address"     // the address that the host last reported from
	RunIDsAnnotation     = "run_ids"     // the ids of the agents' runs on a DuplicateHostAlert
	LastValuesAnnotation = "last_values" // the values that it last reported, as text for people
	ValueAnnotation      = "value"       // the value beyond the threshold; a number
)

// Names of the alerts that Tocsin raises without a rule of the user's.
const (
	ConsumerLagAlert     = "KafkaConsumerLag"
	ConsumerStuckAlert   = "KafkaConsumerStuck"
	TransactionHungAlert = "KafkaTransactionHung"
	MessagesLostAlert    = "KafkaMessagesLost"
	PollFailedAlert      = "TocsinPollFailed" // a cluster, or one of its groups, could not be read twice in a row
	HostOfflineAlert     = "HostOffline"
	ServiceSilentAlert   = "HostServiceSilent"    // a service of a host that reports does not
	DuplicateHostAlert   = "TocsinDuplicateHost"  // two machines report with one id
	NothingToWatchAlert  = "TocsinNothingToWatch" // a cluster, or a pattern of its groups, matches none
	TickLateAlert        = "TocsinTickLate"       // no timer ran for a while
	TestAlert            = "TocsinTest"           // of tocsin send
)

// Severities that Tocsin gives its own alerts.
const (
	SeverityCritical = "critical"
	SeverityWarning  = "warning"
	SeverityInfo     = "info"
)

// LagStatus is the value of StatusAnnotation: the worst state of a partition.
type LagStatus string

const (
	StatusOK              LagStatus = "ok"
	StatusGrowing         LagStatus = "growing"          // the group consumes, and its lag grows
	StatusRewind          LagStatus = "rewind"           // the committed offset went back
	StatusHungTransaction LagStatus = "hung_transaction" // an open transaction holds back what consumers receive
	StatusAhead           LagStatus = "ahead"            // the committed offset is beyond the log end
	StatusStalled         LagStatus = "stalled"          // the group has members that commit nothing
	StatusStopped         LagStatus = "stopped"          // the group has no members
)

// Values of DelaySourceAnnotation.
const (
	DelayFromTimestamps = "timestamps" // of the messages
	DelayFromHistory    = "history"    // the log ends at earlier polls
)

// Values of SourceAnnotation.
const (
	SourceKafka = "kafka" // Kafka's protocol
	SourceAPI   = "api"   // the cloud's API
)

// Builtin is the set of an alert's annotations whose text Tocsin wrote itself,
// rather than a rule's author or another system. Built-in messages leave such a
// text out where they show the numbers that it repeats.
//
// The set belongs to the stored alert and is not on the wire: API v2, webhooks
// and templates see the annotations alone, as Alertmanager's clients expect.
type Builtin uint8

// Members of a Builtin set. The bits are stored.
const (
	BuiltinSummary Builtin = 1 << iota
	BuiltinDescription
)

// Has reports whether all members of x are in the set.
func (b Builtin) Has(x Builtin) bool { return b&x == x }

// SetSummary sets the summary to a built-in text.
func (a *Alert) SetSummary(text string) { a.setBuiltin(SummaryAnnotation, text, BuiltinSummary) }

// SetDescription sets the description to a built-in text.
func (a *Alert) SetDescription(text string) {
	a.setBuiltin(DescriptionAnnotation, text, BuiltinDescription)
}

func (a *Alert) setBuiltin(name, text string, member Builtin) {
	if text == "" {
		return
	}
	if a.Annotations == nil {
		a.Annotations = Labels{}
	}
	a.Annotations[name] = text
	a.Builtin |= member
}
