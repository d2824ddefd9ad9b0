package wecom

import (
	"net/http"
	"sync"
	"time"

	"tocsin/pkg/localcloud/fault"
	"tocsin/pkg/localcloud/mailbox"
)

// Paths of the application API.
const (
	TokenPath = "/cgi-bin/gettoken"
	SendPath  = "/cgi-bin/message/send"
)

// App is an application of a company.
type App struct {
	CorpID, Secret string
	AgentID        int
	// Users, Parties and Tags are whom it may write to.
	Users, Parties, Tags []string
	// Unlicensed are those of Users for whom no licence was bought.
	Unlicensed []string
	// Trusted are the addresses that may call (企业可信IP); none means that the
	// application is older than that rule.
	Trusted []string
}

// AppMessage is one message that an application delivered.
type AppMessage struct {
	AgentID int
	Type    string
	// Content is what arrived, with its markup: a text that was too long is cut.
	Content string
	// Users, Parties and Tags are who got it.
	Users, Parties, Tags []string
	At                   time.Time
}

// Apps is WeCom's application API on one machine: access tokens, and messages
// to members. It is as strict as the vendor's where that says how it is, and an
// http.Handler, safe for concurrent use.
type Apps struct {
	mailbox.Box[AppMessage]

	now    func() time.Time
	queues map[string]*fault.Queue // by path; what befalls its requests

	mu      sync.Mutex
	apps    []*app
	blocked time.Time // until when no token is given: wrong secrets
	wrong   int       // secrets in a row
	dropped int
}

// app is an application and what it did.
type app struct {
	App
	disabled      bool
	token         string
	expires       time.Time
	old           []string // tokens that have expired
	issued        int
	tokenRequests []time.Time            // for tokens, within the last minute
	sent          map[string][]time.Time // to each member, within the last hour
	bodies        map[string]time.Time   // until when a body counts as a duplicate
}

// NewApps returns an API without applications. now is its clock.
func NewApps(now func() time.Time) *Apps {
	return &Apps{now: now, queues: map[string]*fault.Queue{TokenPath: {}, SendPath: {}}}
}

// Add makes an application known.
func (s *Apps) Add(a App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apps = append(s.apps, &app{App: a, sent: map[string][]time.Time{}, bodies: map[string]time.Time{}})
}

// Disable makes an application refuse every message, as its administrator can.
func (s *Apps) Disable(agentID int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		a.disabled = a.disabled || a.AgentID == agentID
	}
}

// Expire ends the access tokens of all applications before their time, as the
// vendor reserves the right to: using one is answered with 42001.
func (s *Apps) Expire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		a.expire()
	}
}

// Revoke is Expire that leaves no memory of the tokens: using one is answered
// with 40014.
func (s *Apps) Revoke() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.apps {
		a.token, a.old = "", nil
	}
}

func (a *app) expire() {
	if a.token != "" {
		a.old, a.token = append(a.old, a.token), ""
	}
}

// Dropped counts what members were not told although the call succeeded: above
// the limits, and duplicates.
func (s *Apps) Dropped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Calls returns how many requests came in at TokenPath or SendPath, whatever
// became of them.
func (s *Apps) Calls(path string) int { return s.queues[path].Calls() }

// Fail lets a fault befall the next requests at TokenPath or SendPath, after
// those that already wait.
func (s *Apps) Fail(path string, times int, do fault.Handler) { s.queues[path].Inject(times, do) }

// ServeHTTP takes one request.
func (s *Apps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	own := s.serveToken
	switch r.URL.Path {
	case TokenPath:
	case SendPath:
		own = s.serveSend
	default:
		http.NotFound(w, r)
		return
	}
	s.queues[r.URL.Path].Handle(w, r, func() { own(w, r) })
}
