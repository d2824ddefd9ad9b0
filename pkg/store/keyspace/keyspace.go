// Package keyspace registers the keys under which Tocsin keeps its state: one list of
// every kind, so that no two rooms use the same one and a reader of a store can
// look up what an item is.
//
// A key is "kind/rest"; a constant here ends with the slash and the owner appends
// the rest. The kind is also the queue in which the key may be due (see
// [tocsin/pkg/store.Kind]). What is on disk outlives a release: a prefix is never
// renamed and never reused for something else.
package keyspace

// Alerts and notifications. The owner is pkg/dispatch unless another one is given.
const (
	// Alert is an alert and the ids of the groups that hold it: alert/FINGERPRINT.
	Alert = "alert/"
	// Group is the header of a group, due at its next flush: group/GROUP.
	Group = "group/"
	// Member marks an alert as part of a group: member/GROUP/FINGERPRINT.
	Member = "member/"
	// Log is the last notification of an integration about a group:
	// log/GROUP/INTEGRATION. Earlier versions wrote log/GROUP/RECEIVER/CHANNEL/INDEX.
	Log = "log/"
	// Source is an alert that inhibits others: source/RULE/VALUES/SIDES/FINGERPRINT. Owner:
	// pkg/inhibit.
	Source = "source/"
	// Silence is a silence: silence/ID. Owner: pkg/silence.
	Silence = "silence/"
	// Outbox is a notification to deliver, due at its next attempt: owed/ID. Owner:
	// pkg/outbox.
	Outbox = "owed/"
	// RateLimit is the times at which a target was sent messages: pace/TARGET. Owner:
	// pkg/outbox.
	RateLimit = "pace/"
	// DeadLetter is a notification that no channel accepted: dead/ID. Owner: pkg/outbox.
	DeadLetter = "dead/"
)

// Single items, each with a key of its own under Meta.
const (
	Meta = "meta/"

	// LastTick is the time of the last tick. Owner: pkg/dispatch.
	LastTick = Meta + "tick"
	// Intake is when alerts could be received, and the outages in which they could not.
	// Owner: pkg/dispatch.
	Intake = Meta + "intake"
	// InhibitRules is the ids of the rules whose sources are stored. Owner:
	// pkg/inhibit.
	InhibitRules = Meta + "inhibit_rules"
	// Silences is written with every change of a silence. Owner: pkg/silence.
	Silences = Meta + "silences"
	// HostCheck is when hosts were last checked for silence. Owner: pkg/host.
	HostCheck = Meta + "host_check"
	// HostEnrolment changes with every host that registers itself, so that two
	// at a time conflict. Owner: pkg/host.
	HostEnrolment = Meta + "host_enrol"
)

// Hosts. Owner: pkg/host.
const (
	// Host is when a host last reported, due when it has been silent for too
	// long: host/ID.
	Host = "host/"
	// HostValue is the latest value of a host's service: host_value/ID/SERVICE.
	HostValue = "host_value/"
	// HostBreach lists the values of a service that break a rule:
	// host_over/ID/SERVICE.
	HostBreach = "host_over/"
	// HostOffline is a host whose offline alert fires: host_offline/ID.
	HostOffline = "host_offline/"
	// HostCondition lists the silent services of a host, and whether two machines
	// report with its id: host_condition/ID.
	HostCondition = "host_condition/"
	// HostEnrolled is a host that registered itself: host_enrolled/ID.
	HostEnrolled = "host_enrolled/"
)

// Consumer lag. Owner: pkg/lag, which reads both kinds with one List of LagAll;
// no other kind may begin with it.
const (
	LagAll = "lag"

	// Lag is the state of a cluster's rules, pending and firing: lag/CLUSTER.
	Lag = LagAll + "/"
	// LagTrend is one part of a cluster's history of lag: lagtrend/CLUSTER/PART.
	LagTrend = LagAll + "trend/"
)

// Others.
const (
	// Channel is state that the instances of a channel share, such as an access token
	// or a lockout: channel/NAME/REST. Owner: each folder of pkg/notify, under its name.
	Channel = "channel/"
	// Part is a part of a value that is too large for one key: part/HASH. Owner:
	// pkg/store, for the owners of the values.
	Part = "part/"
	// Peer is a live process on the store: peer/NAME. Owner: pkg/app.
	Peer = "peer/"
)
