// Package host watches hosts by what they report of themselves. An Inventory
// says which hosts there are and what each must collect; a Registry hands that
// out, takes reports in and judges the values in them; a Watcher finds hosts
// that fell silent. All three keep their state in the store and nowhere else.
//
// What is kept, by kind of key:
//
//	host/ID                  when a host last reported, due when it is silent
//	host_value/ID/SERVICE    the latest value of a service
//	host_over/ID/SERVICE     values that are over the limit of a rule
//	host_offline/ID          a host that was told to be offline
//	host_enrolled/ID         a host that enrolled itself
//	meta/host_check          when silence was last looked for
//	meta/host_enrol          changes with every enrolment
//
// A report reads three keys and writes two, in one commit. A check reads what is
// offline and what is over a limit, as much as there is of it, and beside that
// only hosts whose time has passed.
package host

import (
	"encoding/json"
	"errors"
	"time"

	"tocsin/pkg/alert"
)

// Bounds of what a host may bring.
const (
	// MaxDataSize is the bytes of a report's data.
	MaxDataSize = 64 << 10
	// maxName is the bytes of an id, of a name, and of a service's name: they are
	// parts of keys and of labels.
	maxName = 128
)

var (
	// ErrUnknown says that no host has the id.
	ErrUnknown = errors.New("no host has this id: add it to hosts.hosts, or let hosts.register take it in")
	// ErrForbidden says that the sender may not speak for the host.
	ErrForbidden = errors.New("the token is for other hosts")
	// ErrFull says that no more hosts may enrol themselves.
	ErrFull = errors.New("as many hosts as hosts.register.max allows have enrolled themselves")
	// ErrTooLarge says that a report has more data than MaxDataSize.
	ErrTooLarge = errors.New("the data has more than 64 KiB")
)

// Host is what is configured of one host.
type Host struct {
	ID, Name string
	// Active tells that its silence and its values are judged.
	Active bool
	Groups []string
	// Labels are those of its alerts, without alertname.
	Labels alert.Labels
	// Services are what it must collect, by name.
	Services map[string]Service

	owner  string             // the token that enrols it, "" for a configured host
	fresh  bool               // it is not enrolled yet
	config []byte             // what its agent is told
	etag   string             // of config
	rules  map[string][]*rule // by service
}

// Service is what an agent collects: a plugin's result, at an interval.
type Service struct {
	Plugin   string
	Interval time.Duration
}

// AgentConfig is what the host's agent is told, as JSON: each service's plugin and
// interval in seconds, {"services": {"LinuxCPU": ["cpu", 15]}}; and an entity tag
// that changes with it (RFC 9110, 8.8.3). Neither may be changed.
func (h *Host) AgentConfig() (body []byte, etag string) { return h.config, h.etag }

// Sender is who speaks for a host.
type Sender struct {
	// Token is the name of the token that was shown, "" when none was asked for.
	Token string
	// Hosts are the ids that the token is bound to, if it is.
	Hosts []string
}

// Report is what a host says of itself.
type Report struct {
	From    Sender
	Service string
	// Data is any JSON value.
	Data json.RawMessage
	// At is when it was collected, for one that is sent later; zero is now. A
	// time to come is now as well.
	At time.Time
	// Address is where the report came from, without a port.
	Address string
}

// State is how a host stands.
type State string

// The states of a host. They follow from its last report alone: an offline host
// has an alert only if its silence is judged.
const (
	StateOnline   State = "online"
	StateOffline  State = "offline"
	StateNever    State = "never" // it has not reported yet
	StateInactive State = "inactive"
)
