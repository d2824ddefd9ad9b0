package wecom

import (
	"net/http"
	"slices"
	"sync"
	"time"
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
	now func() time.Time

	mu        sync.Mutex
	apps      []*app
	blocked   time.Time // until when no token is given: wrong secrets
	wrong     int       // secrets in a row
	faults    map[string][]Fault
	calls     map[string]int
	inbox     []AppMessage
	dropped   int
	onMessage func(AppMessage)
}

// app is an application and what it did.
type app struct {
	App
	disabled bool
	token    string
	expires  time.Time
	old      []string // tokens that have expired
	issued   int
	asked    []time.Time            // for tokens, within the last minute
	sent     map[string][]time.Time // to each member, within the last hour
	bodies   map[string]time.Time   // until when a body counts as a duplicate
}

// NewApps returns an API without applications. now is its clock.
func NewApps(now func() time.Time) *Apps {
	return &Apps{now: now, faults: map[string][]Fault{}, calls: map[string]int{}}
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

// OnMessage sets what is called, outside any lock, with every message that was
// delivered to somebody.
func (s *Apps) OnMessage(f func(AppMessage)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.onMessage = f
}

// Inbox returns the messages that were delivered, oldest first.
func (s *Apps) Inbox() []AppMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.inbox)
}

// Dropped counts what members were not told although the call succeeded: above
// the limits, and duplicates.
func (s *Apps) Dropped() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dropped
}

// Calls returns how many requests came in at a path, whatever became of them.
func (s *Apps) Calls(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[path]
}

// Fail lets a fault befall the next requests at a path, after those that
// already wait.
func (s *Apps) Fail(path string, f Fault) {
	f.Times = max(f.Times, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[path] = append(s.faults[path], f)
}

// ServeHTTP takes one request.
func (s *Apps) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var own func()
	switch r.URL.Path {
	case TokenPath:
		own = func() { s.giveToken(w, r) }
	case SendPath:
		own = func() { s.send(w, r) }
	default:
		http.NotFound(w, r)
		return
	}
	if do := s.nextFault(r.URL.Path); do != nil {
		do(w, r, own)
		return
	}
	own()
}

// nextFault counts a request and returns what befalls it, nil for nothing.
func (s *Apps) nextFault(path string) func(http.ResponseWriter, *http.Request, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[path]++
	waiting := s.faults[path]
	if len(waiting) == 0 {
		return nil
	}
	do := waiting[0].Do
	if waiting[0].Times--; waiting[0].Times == 0 {
		s.faults[path] = waiting[1:]
	}
	return do
}
