// Package host watches hosts by the data that they report. An [Inventory] is the
// configuration: the hosts and the services that each must collect. A [Registry]
// serves it to the hosts' agents, accepts their reports, and evaluates the rules
// on the reported values. A [Watcher] finds hosts that stopped reporting. All state
// is in the store, under these keys:
//
//	host/ID                  when a host last reported, due when it counts as offline
//	host_value/ID/SERVICE    the latest value of a service
//	host_over/ID/SERVICE     the values that breach a rule
//	host_offline/ID          the alert of an offline host
//	host_condition/ID        the alerts of silent services and of two hosts with one id
//	host_enrolled/ID         a host that registered itself
//	meta/host_check          the time of the last check
//	meta/host_enrol          changes with each registration
//
// A report reads three keys and writes at most three, in one commit. A check reads
// all offline hosts, breaches and conditions, and otherwise only the hosts that are due.
package host

import (
	"encoding/json"
	"errors"
	"time"

	"tocsin/pkg/alert"
)

const (
	// MaxDataSize is the largest data of a report, in bytes of JSON with no more escapes
	// than it needs.
	MaxDataSize = 64 << 10
	// maxNameSize bounds ids, names and names of services, in bytes: they are parts
	// of keys and of labels.
	maxNameSize = 128
)

var (
	// ErrUnknown is returned for an id that no host has.
	ErrUnknown = errors.New("no host has this id: add it to hosts.hosts, or let it register itself with hosts.register")
	// ErrForbidden is returned when the sender's token is bound to other hosts.
	ErrForbidden = errors.New("the token is for other hosts")
	// ErrFull is returned when no more hosts may register themselves.
	ErrFull = errors.New("as many hosts as hosts.register.max allows have registered themselves")
	// ErrTooLarge is returned for a report with more data than MaxDataSize.
	ErrTooLarge = errors.New("the data has more than 64 KiB")
)

// Host is a host of the inventory.
type Host struct {
	ID, Name string
	// Active is whether alerts are raised about the host.
	Active bool
	Groups []string
	// Labels are the labels of its alerts, without alertname.
	Labels alert.Labels
	// Services are the services that it must collect, by name.
	Services map[string]Service

	registeredBy string             // the name of the token; "" for a configured host
	unregistered bool               // it may register itself but has not yet
	config       []byte             // see AgentConfig
	etag         string             // of config
	rules        map[string][]*rule // by service
}

// Service is a plugin that the host's agent runs at an interval.
type Service struct {
	Plugin   string
	Interval time.Duration

	silentAfter time.Duration // 0 is never
}

// AgentConfig returns the configuration of the host's agent as JSON, with each
// service's plugin and interval in seconds: {"services": {"LinuxCPU": ["cpu", 15]}}.
// The entity tag changes with it (RFC 9110, 8.8.3). The body must not be modified.
func (h *Host) AgentConfig() (body []byte, etag string) { return h.config, h.etag }

// Sender identifies who sent a request for a host.
type Sender struct {
	// Token is the name of the sender's token, "" when authentication is off.
	Token string
	// Hosts are the ids that the token is bound to; none if it is not bound.
	Hosts []string
}

// Report is the data of one service of a host.
type Report struct {
	From    Sender
	Service string
	// Data is any JSON value.
	Data json.RawMessage
	// At is the time of the collection, for a report that was delayed. Zero and
	// future times are replaced by the current time.
	At time.Time
	// Address is the address that the report came from, without a port.
	Address string
	// RunID is the id of the agent's run, which it makes at its start; "" if the sender
	// has none.
	RunID string
}

// State is the state of a host.
type State string

// The states of a host follow from its last report alone: whether an offline host
// has an alert also depends on ignored intervals and missed checks.
const (
	StateOnline   State = "online"
	StateOffline  State = "offline"
	StateNever    State = "never" // it has not reported yet
	StateInactive State = "inactive"
)
